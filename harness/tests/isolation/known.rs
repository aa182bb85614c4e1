//! Known findings: a campaign goes on behind them, counts them, and finds what they hid.

use super::rogues::{Habit, Rogue};
use libtest_mimic::Failed;
use memtwin::accepted::Accepted;
use memtwin::campaign::{self, Budget, Campaign, Plan};
use memtwin::explain::story::Came;
use memtwin::explain::tell;
use memtwin::finding::Ending;
use memtwin::heap::RawHeap;
use memtwin::isolate::Isolation;
use memtwin::lockstep::Audits;
use memtwin::models::Row;
use memtwin::models::guest_memory::GuestMemory;
use memtwin::models::heap::HeapContract;
use memtwin::run_file::{RunFile, SubjectRun, Verdict};
use memtwin::trace_files::load;
use memtwin::{Registry, Target};
use std::alloc::Layout;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What has a habit, and something worse behind it.
pub(super) const HABIT: &dyn Target = &Row::<GuestMemory>::of::<Rogue<Habit>>();

const KNOWN: &str = "guest_memory/bounds/read/result";
const HIDDEN: &str = "guest_memory/memory_size/memory_size/value";

fn plan(index: usize, accepted: &[&str], out: &Path) -> Plan {
    let accepted = BTreeMap::from([(index, Accepted::new(accepted.iter().copied()))]);
    Plan { accepted, log: true, ..Plan::new(vec![index], 7, Budget::Ops(200_000), out) }
}

fn run(registry: &Registry, plan: &Plan) -> Result<RunFile, Failed> {
    Ok(campaign::run(registry, plan, &Arc::new(AtomicBool::new(false)), &|_| {})?)
}

fn signatures(part: &SubjectRun) -> Vec<&str> {
    part.findings.iter().map(|finding| finding.signature.as_str()).collect()
}

pub(super) fn campaigns_go_on() -> Result<(), Failed> {
    let registry = super::registry();
    let index = registry.index_of("guest_memory", HABIT.subject()).ok_or("not in the registry")?;
    let folder = tempfile::tempdir()?;
    let strict = run(&registry, &plan(index, &[], &folder.path().join("strict")))?;
    assert_eq!((signatures(&strict.subjects[0]), strict.subjects[0].known_steps.len()), (vec![KNOWN], 0));

    let out = folder.path().join("behind");
    let behind = plan(index, &[KNOWN], &out);
    let run_behind = run(&registry, &behind)?;
    let part = &run_behind.subjects[0];
    assert_eq!((signatures(part), part.verdict), (vec![HIDDEN], Verdict::Diverged));
    let known = &part.known_steps[..];
    assert!(matches!(known, [known] if known.signature == KNOWN && 500 < known.steps), "{known:?}");
    assert_eq!(part.moot, 0, "a read changes nothing, so the model knows what follows");
    assert_eq!(Campaign::take_up(&registry, &out, 1)?.plan().accepted, behind.accepted);

    // The trace says what it goes on behind: with that it shows the finding, without it the habit.
    let loaded = load(&registry, Path::new(&part.findings[0].trace))?;
    assert_eq!((&loaded.header.known[..], loaded.header.memtwin), (&[KNOWN.to_owned()][..], 2));
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    for (accepted, signature) in [(registry.accepted(index, &loaded.header), HIDDEN), (Accepted::default(), KNOWN)] {
        isolation.accept(&accepted);
        let ending = isolation.replay(index, &loaded.wire, Audits::Full)?;
        let Some(Ending::Failed(failure)) = ending else { return Err(format!("{ending:?}").into()) };
        assert_eq!(loaded.dialect.signature(&loaded.wire, &failure).as_str(), signature);
    }
    let story = tell(&mut isolation, &registry, index, &loaded)?.ok_or("interrupted")?;
    let came: Vec<Came> = story.steps.iter().map(|step| step.came).collect();
    assert_eq!((came, story.signature.as_deref()), (vec![Came::Known, Came::Diverged], Some(HIDDEN)));
    // A registry may hold its subjects to their contract: then nothing goes on.
    assert!(registry.held_to_contract().accepted(index, &loaded.header).is_empty());

    // With nothing but known findings it is known, and never said to agree.
    let all = run(&super::registry(), &plan(index, &[KNOWN, HIDDEN], &folder.path().join("all")))?;
    let part = &all.subjects[0];
    assert_eq!((part.findings.len(), part.verdict, part.known_steps.len()), (0, Verdict::Known, 2));
    Ok(())
}

/// A bump allocator that breaks four laws now and then, each in a way that leaves no doubt what state it is in.
pub(super) struct Crooked(usize, usize);

impl RawHeap for Crooked {
    const NAME: &'static str = "crooked";
    const CONTRACT: HeapContract = HeapContract { no_reuse: true, ..HeapContract::ARENA };

    unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        Crooked(start as usize, start as usize + bytes)
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let block = self.0.next_multiple_of(layout.align().min(16));
        match block.checked_add(layout.size()).filter(|end| *end <= self.1) {
            Some(end) if layout.size() % 64 != 5 => {
                self.0 = end;
                block as *mut u8
            }
            Some(_) | None => null_mut(),
        }
    }

    unsafe fn dealloc(&mut self, _block: *mut u8, _layout: Layout) {}

    fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        let block = self.alloc(layout);
        if !block.is_null() {
            // SAFETY: the block was just allocated with this size.
            unsafe { block.write_bytes(u8::from(layout.size() % 16 == 7), layout.size()) };
        }
        block
    }

    unsafe fn relayout(&mut self, block: *mut u8, old: Layout, new: Layout, zeroed: bool) -> *mut u8 {
        let moved = if zeroed { self.alloc_zeroed(new) } else { self.alloc(new) };
        if !moved.is_null() {
            let kept = if new.size() % 16 == 9 { 0 } else { old.size().min(new.size()) };
            // SAFETY: both blocks have at least so many bytes, and no block overlaps another.
            unsafe { block.copy_to_nonoverlapping(moved, kept) };
        }
        moved
    }
}

/// With what it breaks accepted one by one, no law is broken but those four: the model goes on with the state that the
/// heap is in.
pub(super) fn nothing_follows() -> Result<(), Failed> {
    let registry = super::registry();
    let index = registry.index_of("heap", "crooked").ok_or("not in the registry")?;
    let folder = tempfile::tempdir()?;
    let mut accepted: BTreeSet<String> = BTreeSet::new();
    for round in 0..12 {
        let all: Vec<&str> = accepted.iter().map(String::as_str).collect();
        let run = run(&registry, &plan(index, &all, &folder.path().join(round.to_string())))?;
        let part = &run.subjects[0];
        let found: Vec<String> = part.findings.iter().map(|finding| finding.signature.clone()).collect();
        if found.is_empty() {
            let laws: BTreeSet<&str> = accepted.iter().filter_map(|signature| signature.split('/').nth(1)).collect();
            assert_eq!(Vec::from_iter(laws), ["aligned", "kept", "refusal", "zeroed"], "{accepted:?}");
            assert_eq!(part.verdict, Verdict::Known);
            assert!(part.moot * 4 < part.traces, "{part:?}");
            assert_eq!(part.known_steps.len(), accepted.len(), "{part:?}");
            return Ok(());
        }
        accepted.extend(found);
    }
    Err(format!("there is always more: {accepted:?}").into())
}
