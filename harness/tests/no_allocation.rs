//! The hot loop allocates nothing: once a runner has seen a trace, running it again asks for no memory at all, whatever
//! the ops do.
//!
//! Exempt are building a subject for a new setup (traces come in groups of one setup for that reason), ops that move
//! the whole memory (dump, restore) or start threads, and the full audit of every sixteenth trace, which shows the
//! whole memory.
//!
//! This test is alone in its program: the count is the process's.

use memtwin::Target;
use memtwin::engines::TraceSource;
use memtwin::engines::random::GROUP_TRACES;
use memtwin::isolate::heap::{CountingAllocator, allocations};
use memtwin::lockstep::{Audits, COUNTS, Ended, Journal};
use memtwin::models::StateMap;
use memtwin::models::brk_heap::BrkHeap;
use memtwin::models::guest_memory::{GuestMemory, Op};
use memtwin::models::header_free::HeaderFree;
use memtwin::models::heap::{self, Heap};
use memtwin::models::temp_map::TempMap;
use memtwin::rig::Rig;
use memtwin::trace::Trace;
use std::sync::atomic::AtomicU32;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const STREAM: u64 = 11;
const TRACES: usize = 200;
const TRACES_OF_A_GROUP: usize = 20;
const LARGEST_MEMORY_BYTES: u64 = 64 << 10;

#[test]
fn running_a_trace_allocates_nothing() {
    // The count counts: without this, the wrong allocator would pass.
    let before = allocations();
    drop(std::hint::black_box(vec![0_u8; 100]));
    assert_eq!(allocations() - before, 1);
    for subject in ["soft_mmu", "physical_memory"] {
        let groups = subject_runs_without_allocating(subject, is_cheap);
        let has_devices = groups.iter().flatten().any(|trace: &Trace<GuestMemory>| !trace.setup.devices.is_empty());
        assert_eq!(has_devices, subject == "soft_mmu", "the traces say nothing about devices");
    }
    subject_runs_without_allocating::<BrkHeap>("hardened", |_| true);
    subject_runs_without_allocating::<HeaderFree>("hardened", |_| true);
    for subject in ["free_list", "paged_malloc"] {
        subject_runs_without_allocating::<Heap>(subject, starts_no_thread);
    }
    subject_runs_without_allocating::<TempMap>("hardened", |_| true);
}

/// Runs groups of traces, each of one setup, and gives them back.
fn subject_runs_without_allocating<C: Rig>(subject: &str, is_cheap: fn(&Trace<C>) -> bool) -> Vec<Vec<Trace<C>>> {
    let registry = memtwin::built_in();
    let index = registry.index_of(C::NAME, subject).unwrap();
    let target = registry.get(index).unwrap();
    let groups = groups(target, is_cheap);
    for group in &groups {
        runs_without_allocating::<C>(target, group);
    }
    groups.iter().map(|group| group.iter().map(|wire| Trace::from_wire(wire)).collect()).collect()
}

/// Cheap traces, in groups of one setup.
fn groups<C: Rig>(target: &dyn Target, is_cheap: fn(&Trace<C>) -> bool) -> Vec<Vec<Vec<u8>>> {
    let mut source = target.traces();
    let mut groups = Vec::new();
    let mut traces = 0;
    for number in 0.. {
        let group: Vec<_> = (number * GROUP_TRACES..(number + 1) * GROUP_TRACES)
            .map(|index| wire(&mut *source, index))
            .filter(|wire| is_cheap(&Trace::from_wire(wire)))
            .take(TRACES_OF_A_GROUP)
            .collect();
        traces += group.len();
        groups.push(group);
        if TRACES <= traces {
            break;
        }
    }
    groups
}

fn wire(source: &mut dyn TraceSource, index: u64) -> Vec<u8> {
    let mut wire = Vec::new();
    source.write(STREAM, index, &mut wire);
    wire
}

/// Small memories, and no ops on the whole memory.
fn is_cheap(trace: &Trace<GuestMemory>) -> bool {
    let is_costly = |op: &Op| {
        // What maps a device makes one.
        let maps = matches!(op, Op::MapDevice { .. } | Op::UnmapDevice { .. });
        maps || matches!(op, Op::Dump { .. } | Op::Restore { .. } | Op::RestoreDump { .. })
    };
    trace.setup.memory_size <= LARGEST_MEMORY_BYTES && !trace.ops().iter().any(is_costly)
}

/// No ops on other threads, which are begun anew in each trace, and no cycles that a new thread frees for each of their
/// repeats.
fn starts_no_thread(trace: &Trace<Heap>) -> bool {
    !trace.has_lanes()
        && trace.ops().iter().all(|op| !matches!(op, heap::Op::Cycle { by: heap::FreedBy::NewThread, .. }))
}

fn runs_without_allocating<C: Rig>(target: &'static dyn Target, group: &[Vec<u8>]) {
    let mut runner = target.runner();
    let step = AtomicU32::new(0);
    let (mut counts, mut features) = ([0; COUNTS], [0; StateMap::SIZE]);
    let mut journal = Journal { step: &step, counts: &mut counts, features: Some(&mut features), ops: 0 };
    for wire in group {
        runner.run(wire, Audits::Sample, &mut journal);
    }
    for wire in group {
        let trace = Trace::<C>::from_wire(wire);
        let before = (allocations(), journal.ops);
        let ended = runner.run(wire, Audits::Sample, &mut journal);
        let (allocated, ops) = (allocations() - before.0, journal.ops - before.1);
        // A moot trace ends early, and is rare.
        let is_whole = ended == Ended::Agreed && ops == trace.ops().len() as u64;
        assert!(is_whole || matches!(ended, Ended::Moot { .. }), "{ended:?}");
        assert_eq!(allocated, 0, "{} allocated in a trace of {ops} ops on {:?}", target.name(), trace.setup);
    }
    runner.finish(&mut journal);
}
