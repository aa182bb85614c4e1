//! Programs whose subject judges too little: no verb says that all is well.

use crate::room::Room;
use libtest_mimic::Failed;
use memtwin::models::Row;
use memtwin::models::guest_memory::{GuestMemory, GuestMemoryContract, Op, Outcome, Setup, View};
use memtwin::models::{Contract as _, Health, Subject, Unsupported};
use memtwin::subjects::guest_memory::SoftMmuSubject;
use memtwin::trace::Trace;
use memtwin::{Registry, Target};
use serde_json::Value;

/// `soft_mmu`, which promises all and serves what `S` says.
struct Picky<S>(SoftMmuSubject, std::marker::PhantomData<S>);

trait Serves: 'static {
    const NAME: &'static str;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };
    const RESETS: bool = true;
    fn serves(setup: &Setup) -> bool;
}

impl<S: Serves> Subject<GuestMemory> for Picky<S> {
    const NAME: &'static str = S::NAME;
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = S::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        if !S::serves(setup) {
            return Err(Unsupported("it does not like it"));
        }
        Ok(Picky(SoftMmuSubject::new(setup)?, std::marker::PhantomData))
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        S::RESETS && self.0.reset(setup)
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        self.0.apply(op, seen);
    }

    fn view(&mut self, view: &mut View) {
        self.0.view(view);
    }
}

/// Serves no strict alignment, which is a third of all setups.
struct Lax;

impl Serves for Lax {
    const NAME: &'static str = "lax";

    fn serves(setup: &Setup) -> bool {
        !setup.strict_alignment
    }
}

/// Serves nothing.
struct Nothing;

impl Serves for Nothing {
    const NAME: &'static str = "nothing";

    fn serves(_setup: &Setup) -> bool {
        false
    }
}

/// Claims that it has less room than a small world needs.
struct Tiny;

impl Serves for Tiny {
    const NAME: &'static str = "tiny";
    const CONTRACT: GuestMemoryContract =
        GuestMemoryContract { flat_ram: true, largest_memory_bytes: 16, ..GuestMemoryContract::STRICT };

    fn serves(_setup: &Setup) -> bool {
        true
    }
}

/// Has no reset.
struct Rebuilt;

impl Serves for Rebuilt {
    const NAME: &'static str = "rebuilt";
    const RESETS: bool = false;

    fn serves(_setup: &Setup) -> bool {
        true
    }
}

/// The subject of a program that has one of these and no other.
pub(crate) fn registry(program: &str) -> Option<Registry> {
    const TARGETS: [&dyn Target; 4] = [
        &Row::<GuestMemory>::of::<Picky<Lax>>(),
        &Row::<GuestMemory>::of::<Picky<Nothing>>(),
        &Row::<GuestMemory>::of::<Picky<Tiny>>(),
        &Row::<GuestMemory>::of::<Picky<Rebuilt>>(),
    ];
    TARGETS.into_iter().find(|target| target.subject() == program).map(|target| Registry::of(&[target]))
}

pub(crate) fn campaigns() -> Result<(), Failed> {
    let room = Room::new()?;
    let fuzz = ["fuzz", "--seed", "1", "--ops", "300k", "--json"];
    for (program, shortfalls) in [("lax", 1), ("nothing", 2)] {
        let run: Value = serde_json::from_str(&room.expect(1, program, &fuzz))?;
        let subject = &run["subjects"][0];
        let told = subject["shortfalls"].as_array().ok_or("no shortfalls")?;
        assert_eq!((told.len(), subject["verdict"].as_str()), (shortfalls, Some("agreed")), "{subject}");
        let last = told[told.len() - 1].as_str().unwrap_or_default();
        assert!(last.contains("have a setup that is not served; at most one in a hundred may be so"), "{last}");
    }
    room.expect(0, "tiny", &fuzz);
    Ok(())
}

/// A subject without a reset is built for each trace, and the summary says how often that was.
pub(crate) fn rebuilt() -> Result<(), Failed> {
    let room = Room::new()?;
    let fuzz = ["fuzz", "guest_memory", "--seed", "1", "--ops", "300k"];
    for (program, is_rebuilt) in [("rebuilt", true), ("built_in", false)] {
        let run: Value = serde_json::from_str(&room.expect(0, program, &[&fuzz[..], &["--json"]].concat()))?;
        let told = room.expect(0, program, &fuzz);
        for subject in run["subjects"].as_array().ok_or("no subjects")? {
            let traces = subject["traces"].as_u64().ok_or("no traces")?;
            assert_eq!(subject["rebuilt"], if is_rebuilt { traces } else { 0 }, "{subject}");
            let line = format!("rebuilt for each of {traces} traces");
            assert_eq!(told.matches(&line).count(), usize::from(is_rebuilt), "{told}");
        }
        assert_eq!(told.matches("rebuilt for each of").count(), usize::from(is_rebuilt), "{told}");
    }
    Ok(())
}

pub(crate) fn small_worlds() -> Result<(), Failed> {
    let room = Room::new()?;
    let told = room.expect(1, "nothing", &["exhaustive", "--depth", "1"]);
    assert!(told.contains("not enough: no op ran") && told.contains("not all sound subjects agree"), "{told}");
    assert!(told.contains("have a setup that is not served; at most half"), "{told}");
    let output = room.run("tiny", &["exhaustive", "--depth", "1"])?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert_eq!(errors, "error: nothing ran: the contract leaves nothing of guest_memory's small world\n");
    // Half of a small world is enough.
    room.expect(0, "lax", &["exhaustive", "--depth", "1"]);
    Ok(())
}

pub(crate) fn corpora() -> Result<(), Failed> {
    let room = Room::new()?;
    std::fs::create_dir_all(room.path("kept/guest_memory"))?;
    let write = |number: u64, strict_alignment| {
        let setup = Setup { strict_alignment, ..Setup::flat(number) };
        let wire = Trace::<GuestMemory>::new(setup, Vec::new()).to_wire();
        std::fs::write(room.path(&format!("kept/guest_memory/id:00000{number}")), wire)
    };
    (1..=2).try_for_each(|number| write(number, false))?;
    (3..=4).try_for_each(|number| write(number, true))?;
    let files = || std::fs::read_dir(room.path("kept/guest_memory")).map(Iterator::count);
    let told = room.expect(1, "nothing", &["corpus", "minimize", "kept"]);
    assert!(told.contains("not enough: no sound subject judges 4 of 4 files"), "{told}");
    assert_eq!(files()?, 4, "nothing says what they are worth");
    let told = room.expect(1, "nothing", &["corpus", "merge", "kept", "other"]);
    assert!(told.contains("not enough: no sound subject judges 4 of 4 files"), "{told}");
    // Those that nobody serves stay; the others reach nothing without ops.
    let told = room.expect(0, "lax", &["corpus", "minimize", "kept"]);
    assert!(!told.contains("not enough"), "{told}");
    assert_eq!(files()?, 2);
    Ok(())
}

pub(crate) fn speed() -> Result<(), Failed> {
    let room = Room::new()?;
    let told = room.expect(1, "nothing", &["bench", "speed"]);
    assert!(told.contains("not measured: it died, or most of what it ran is moot, not served or skipped"), "{told}");
    Ok(())
}
