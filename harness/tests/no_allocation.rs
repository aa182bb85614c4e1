//! The hot loop allocates nothing: once a runner has seen a trace, running it again asks for no memory at all, whatever
//! the ops do.
//!
//! Exempt are building a subject for a new setup (traces come in groups of one setup for that reason), ops that move the
//! whole memory (dump, restore), and the full audit of every sixteenth trace, which shows the whole memory.
//!
//! This test is alone in its program: the count is the process's.

use memtwin::engines::TraceSource;
use memtwin::engines::random::GROUP_TRACES;
use memtwin::isolate::heap::{CountingAllocator, allocations};
use memtwin::lockstep::{Audits, COUNTS, Ended, Journal};
use memtwin::models::StateMap;
use memtwin::models::guest_memory::{GuestMemory, Op};
use memtwin::trace::Trace;
use memtwin::{Registry, Target};
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
    let registry = Registry::built_in();
    for subject in ["soft_mmu", "physical_memory"] {
        let index = registry.index_of("guest_memory", subject).unwrap();
        let target = registry.get(index).unwrap();
        let groups = groups(target);
        for group in &groups {
            runs_without_allocating(target, group);
        }
        let has_devices = groups.iter().flatten().any(|trace| !typed(trace).setup.devices.is_empty());
        assert_eq!(has_devices, subject == "soft_mmu", "the traces say nothing about devices");
    }
}

/// Traces of small memories without whole-memory ops, in groups of one setup.
fn groups(target: &dyn Target) -> Vec<Vec<Vec<u8>>> {
    let mut source = target.traces();
    let mut groups = Vec::new();
    let mut traces = 0;
    for number in 0.. {
        let group: Vec<_> = (number * GROUP_TRACES..(number + 1) * GROUP_TRACES)
            .map(|index| wire(&mut *source, index))
            .filter(|wire| is_cheap(&typed(wire)))
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

fn typed(wire: &[u8]) -> Trace<GuestMemory> {
    Trace::from_wire(wire)
}

fn is_cheap(trace: &Trace<GuestMemory>) -> bool {
    let is_whole = |op: &Op| matches!(op, Op::Dump { .. } | Op::Restore { .. } | Op::RestoreDump { .. });
    trace.setup.memory_size <= LARGEST_MEMORY_BYTES && !trace.ops.iter().any(is_whole)
}

fn runs_without_allocating(target: &dyn Target, group: &[Vec<u8>]) {
    let mut runner = target.runner();
    let place = AtomicU32::new(0);
    let (mut counts, mut features) = ([0; COUNTS], [0; StateMap::SIZE]);
    let mut journal = Journal { place: &place, counts: &mut counts, features: Some(&mut features), ops: 0 };
    for wire in group {
        assert_eq!(runner.run(wire, Audits::Sample, &mut journal), Ended::Agreed);
    }
    for wire in group {
        let before = (allocations(), journal.ops);
        let ended = runner.run(wire, Audits::Sample, &mut journal);
        let (allocated, ops) = (allocations() - before.0, journal.ops - before.1);
        assert_eq!(ended, Ended::Agreed);
        assert_eq!(ops, typed(wire).ops.len() as u64);
        assert_eq!(allocated, 0, "{} allocated in a trace of {ops} ops on {:?}", target.name(), typed(wire).setup);
    }
    runner.finish(&mut journal);
}
