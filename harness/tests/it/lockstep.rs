//! The lockstep runner: a subject that was reset is equal to a new one, each ending is told apart, and every law of
//! guest memory is seen to fail at least once, by a defect of the catalogue or by a tiny wrong subject.

use memtwin::Target;
use memtwin::engines::TraceSource;
use memtwin::lockstep::{Audits, COUNTS, Ended, Journal, Runner};
use memtwin::models::guest_memory::{
    DeviceSetup, Error, GuestAddress, GuestMemory, GuestMemoryContract, Op, Outcome, Owner, Seen, Setup,
    TransferLength, View, laws,
};
use memtwin::models::{Contract as _, Health, Payload, Row, StateMap, Subject, Unsupported};
use memtwin::subjects::guest_memory::SoftMmuSubject;
use memtwin::trace::Trace;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::atomic::AtomicU32;

type Counts = Vec<u64>;

/// Runs a trace; returns how it ended, and what it counted.
fn run(runner: &mut dyn Runner, wire: &[u8], audits: Audits) -> (Ended, u64, Counts) {
    let step = AtomicU32::new(0);
    let (mut counts, mut features) = ([0; COUNTS], [0; StateMap::SIZE]);
    let mut journal = Journal { step: &step, counts: &mut counts, features: Some(&mut features), ops: 0 };
    let ended = runner.run(wire, audits, &mut journal);
    let ops = journal.ops;
    (ended, ops, counts.to_vec())
}

fn wire_of(setup: &Setup, ops: &[Op]) -> Vec<u8> {
    Trace::<GuestMemory>::new(setup.clone(), ops.to_vec()).to_wire()
}

fn built_in(subject: &str) -> &'static dyn Target {
    let registry = memtwin::built_in();
    registry.index_of("guest_memory", subject).and_then(|index| registry.get(index)).unwrap()
}

#[test]
fn a_subject_that_was_reset_is_equal_to_a_new_one() {
    let registry = memtwin::built_in();
    let mut wire = Vec::new();
    for target in registry.targets().filter(|target| target.is_sound()) {
        let mut source = target.traces();
        let mut reused = target.runner();
        // Six groups of a setup each: reset within a group, rebuilt between groups.
        for index in 0..384 {
            source.write(17, index, &mut wire);
            let mut fresh = target.runner();
            let of_fresh = run(&mut *fresh, &wire, Audits::Full);
            assert_eq!(run(&mut *reused, &wire, Audits::Full), of_fresh, "{} at trace {index}", target.name());
            let is_right = matches!(of_fresh.0, Ended::Agreed | Ended::Moot { .. });
            assert!(is_right, "{} at trace {index}: {:?}", target.name(), of_fresh.0);
        }
    }
}

#[test]
fn the_setup_of_one_trace_is_not_taken_for_that_of_another() {
    let target = built_in("soft_mmu");
    let mut runner = target.runner();
    let sizes = [Op::MemorySize { owner: Owner::new_folded(0) }];
    // The wire form of the first setup begins that of none of the others, and traces without ops stop within theirs.
    for memory_size in [0x10, 0x1000, 0x10, 0x10_0010, 0x10] {
        assert_eq!(run(&mut *runner, &wire_of(&Setup::flat(memory_size), &sizes), Audits::Full).0, Ended::Agreed);
    }
    for cut in 0..6 {
        let device = DeviceSetup { base: 0x4000, size: 64, faulty_register: None };
        let setup = Setup { devices: vec![device], ..Setup::flat(0x10_0000) };
        let mut wire = wire_of(&setup, &[]);
        wire.truncate(cut);
        assert_eq!(run(&mut *runner, &wire, Audits::Full).0, Ended::Agreed);
        assert_eq!(run(&mut *runner, &wire_of(&setup, &sizes), Audits::Full).0, Ended::Agreed);
    }
}

#[test]
fn a_setup_that_a_subject_cannot_serve_is_no_finding() {
    let target = built_in("physical_memory");
    let mut runner = target.runner();
    let setup = Setup { strict_alignment: true, ..Setup::flat(64) };
    let sizes = [Op::MemorySize { owner: Owner::new_folded(0) }];
    for _ in 0..2 {
        let (ended, ops, _) = run(&mut *runner, &wire_of(&setup, &sizes), Audits::Full);
        assert!(matches!(ended, Ended::Unsupported(_)), "{ended:?}");
        assert_eq!(ops, 0);
    }
    assert_eq!(run(&mut *runner, &wire_of(&Setup::flat(64), &sizes), Audits::Full).0, Ended::Agreed);
}

#[test]
fn a_run_goes_on_after_a_divergence_with_a_new_subject() {
    const TARGET: &Row<GuestMemory> = &Row::<GuestMemory>::of::<Wrong<Size>>();
    let mut runner = TARGET.runner();
    let sizes = [Op::MemorySize { owner: Owner::new_folded(0) }];
    let wire = wire_of(&Setup::flat(64), &sizes);
    let first = run(&mut *runner, &wire, Audits::Full);
    assert!(matches!(first.0, Ended::Diverged { .. }));
    assert_eq!(run(&mut *runner, &wire, Audits::Full), first);
}

/// Subjects that die, or write where they may not, in the process that runs them.
const UNSAFE: [&str; 7] = ["original", "GM-01", "GM-02", "GM-03", "GM-04", "GM-05", "GM-19"];
/// Broken subjects that are not caught within this many traces are left to the campaigns.
const MOST_TRACES: u64 = 2000;

/// The law by which a target is caught first on random traces.
fn law_of(target: &'static dyn Target, source: &mut dyn TraceSource) -> Option<&'static str> {
    let mut wire = Vec::new();
    let mut runner = target.runner();
    (0..MOST_TRACES).find_map(|index| {
        source.write(23, index, &mut wire);
        match run(&mut *runner, &wire, Audits::Full).0 {
            Ended::Diverged { divergence, .. } => Some(divergence.law),
            Ended::Agreed | Ended::Moot { .. } | Ended::Known { .. } | Ended::Unsupported(_) => None,
        }
    })
}

#[test]
fn every_law_is_broken_by_something() {
    let registry = memtwin::built_in();
    let mut broken = BTreeSet::new();
    // The broken subjects of other components really fault, and belong in workers.
    let of_guest_memory = registry.targets().filter(|target| target.dialect().name() == "guest_memory");
    for target in of_guest_memory.filter(|target| !target.is_sound() && !UNSAFE.contains(&target.subject())) {
        broken.extend(law_of(target, &mut *target.traces()));
    }
    assert!(broken.contains("flat_memory") && broken.contains("reservation"), "{broken:?}");
    for (target, law) in WRONG {
        assert_eq!(law_of(*target, &mut *target.traces()), Some(*law), "{}", target.name());
        broken.insert(law);
    }
    let all: BTreeSet<_> = laws::ALL.iter().map(|law| law.name).collect();
    assert_eq!(broken, all);
}

/// A tiny wrong subject for each law, and no other law is named.
const WRONG: &[(&dyn Target, &str)] = &[
    (&Row::<GuestMemory>::of::<Wrong<Refusing>>(), "bounds"),
    (&Row::<GuestMemory>::of::<Wrong<OtherError>>(), "error_class"),
    (&Row::<GuestMemory>::of::<Wrong<FlippedBit>>(), "flat_memory"),
    (&Row::<GuestMemory>::of::<Wrong<Scribbling>>(), "error_changes_nothing"),
    (&Row::<GuestMemory>::of::<Wrong<Overrun>>(), "buffer_bounds"),
    (&Row::<GuestMemory>::of::<Wrong<Repeating>>(), "device_calls"),
    (&Row::<GuestMemory>::of::<Wrong<NeverStoring>>(), "reservation"),
    (&Row::<GuestMemory>::of::<Wrong<WrongExchange>>(), "atomic"),
    (&Row::<GuestMemory>::of::<Wrong<LostPage>>(), "dirty"),
    (&Row::<GuestMemory>::of::<Wrong<ShortDump>>(), "dump"),
    (&Row::<GuestMemory>::of::<Wrong<RefusedRestore>>(), "restore"),
    (&Row::<GuestMemory>::of::<Wrong<Size>>(), "memory_size"),
    (&Row::<GuestMemory>::of::<Wrong<OtherForm>>(), "answer"),
];

/// `soft_mmu` with outcomes that are changed before they are seen.
struct Wrong<M>(SoftMmuSubject, PhantomData<M>);

trait Mistake: 'static {
    const NAME: &'static str;
    fn make(op: &Op, seen: &mut Outcome);
}

impl<M: Mistake> Subject<GuestMemory> for Wrong<M> {
    const NAME: &'static str = M::NAME;
    const HEALTH: Health = Health::Broken { defect: None, story: "shows a wrong outcome" };
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        SoftMmuSubject::new(setup).map(|inner| Wrong(inner, PhantomData))
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        self.0.apply(op, seen);
        M::make(op, seen);
    }

    fn view(&mut self, view: &mut View) {
        self.0.view(view);
    }
}

macro_rules! mistakes {
    ($($mistake:ident |$op:pat_param, $seen:ident| $body:block)+) => {$(
        struct $mistake;
        impl Mistake for $mistake {
            const NAME: &'static str = stringify!($mistake);
            fn make($op: &Op, $seen: &mut Outcome) $body
        }
    )+};
}

const BULK_BYTES: u32 = 16;

mistakes! {
    Refusing |_, seen| {
        if let Seen::Value(_) = seen.result {
            seen.result = Seen::Error(Error::InvalidAddress);
        }
    }
    OtherError |_, seen| {
        if let Seen::Error(Error::InvalidAddress) = seen.result {
            seen.result = Seen::Error(Error::Other);
        }
    }
    FlippedBit |op, seen| {
        if let (Op::Read { .. }, Seen::Value(value), []) = (op, seen.result, &seen.device_calls[..]) {
            seen.result = Seen::Value(value ^ 1);
        }
    }
    Scribbling |op, seen| {
        if let (Op::ReadBulk { length, .. }, Seen::Error(_)) = (op, seen.result)
            && let [first, ..] = seen.buffer(*length)
        {
            *first = first.wrapping_add(1);
        }
    }
    Overrun |op, seen| {
        if let (Op::ReadBulk { length, .. }, Seen::Done) = (op, seen.result) {
            let end = length.bytes();
            let longer = TransferLength::new_folded(u64::from(end + BULK_BYTES));
            if end < longer.bytes() {
                let byte = &mut seen.buffer(longer)[end as usize];
                *byte = byte.wrapping_add(1);
            }
        }
    }
    Repeating |_, seen| {
        if let Some(&call) = seen.device_calls.last() {
            seen.device_calls.push(call);
        }
    }
    NeverStoring |_, seen| {
        if let Seen::Stored(true) = seen.result {
            seen.result = Seen::Stored(false);
        }
    }
    WrongExchange |_, seen| {
        if let Seen::Exchanged { before, stored } = seen.result {
            seen.result = Seen::Exchanged { before, stored: !stored };
        }
    }
    LostPage |op, seen| {
        if let Op::DirtyLog { .. } = op {
            seen.pages.pop();
        }
    }
    ShortDump |op, seen| {
        if let (Op::Dump { .. }, Seen::Done) = (op, seen.result) {
            seen.dump.push(0);
        }
    }
    RefusedRestore |op, seen| {
        if let (Op::Restore { .. } | Op::RestoreDump { .. }, Seen::Done) = (op, seen.result) {
            seen.result = Seen::Error(Error::Other);
        }
    }
    Size |op, seen| {
        if let (Op::MemorySize { .. }, Seen::Value(size)) = (op, seen.result) {
            seen.result = Seen::Value(size + 1);
        }
    }
    OtherForm |_, seen| {
        if let Seen::Value(_) = seen.result {
            seen.result = Seen::Done;
        }
    }
}

/// Whole-memory ops on the whole of a memory that they are for.
#[test]
fn restoring_replaces_every_byte() {
    let owner = Owner::new_folded(0);
    let address = GuestAddress(8);
    let ops = [
        Op::Write { owner, address, value: 1, size: 8 },
        Op::Restore { owner, payload: Payload { seed: 9, length: 64 } },
        Op::Read { owner, address, size: 8 },
        Op::Dump { owner },
        Op::RestoreDump { owner },
    ];
    let mut runner = built_in("soft_mmu").runner();
    assert_eq!(run(&mut *runner, &wire_of(&Setup::flat(64), &ops), Audits::EveryStep).0, Ended::Agreed);
}
