//! The exhaustive engine: all traces of at most so many ops over a component's small world, so that small cases have no
//! hole. Every prefix of a trace is a trace of its own, audited in full at its end. Traces of one start come in a row,
//! so that subjects are reset and not rebuilt. It draws nothing and keeps nothing, and leaves out what a contract
//! excludes.

use super::TraceSource;
use crate::rig::{Rig, Small, Start};
use crate::trace::{Head, Trace, write_op};
use memtwin_models::Lane;
use memtwin_models::wire::Writer;

/// The traces, in order: by start, then by length, then as the ops are listed.
#[derive(Debug, Clone)]
pub struct SmallTraces {
    starts: Vec<EncodedStart>,
    depth: u32,
    /// The number of traces of each start, unless it is beyond counting.
    of_a_start: Option<u64>,
}

/// A start in wire bytes, and each op as it is written after that setup.
#[derive(Debug, Clone)]
struct EncodedStart {
    head: Vec<u8>,
    ops: Vec<Vec<u8>>,
}

impl SmallTraces {
    pub(crate) fn new<C: Rig>(small: &Small<C>, contract: &C::Contract, depth: u32) -> Self {
        let is_served = |start: &&Start<C>| C::serves(contract, &start.setup).is_ok();
        let asked = |ops: &[C::Op]| ops.iter().filter(|op| C::asks(contract, op)).cloned().collect::<Vec<_>>();
        let ops = asked(&small.ops);
        let encode = |start: &Start<C>| {
            let opening = Trace::<C>::new(start.setup.clone(), asked(&start.opening));
            let edges = C::edges(&start.setup);
            // One version for all: what has parts, or an op that came later, is of version 2 with all its ops.
            let needs_two = opening.needs_two() || ops.iter().any(C::is_later);
            let version = Head::of::<C>(&start.setup).version(needs_two);
            let encode_op = |op: &C::Op| {
                let mut bytes = Vec::new();
                let mut writer = Writer::of(version, &mut bytes);
                write_op::<C>(&edges, Lane::FIRST, op, version, &mut writer);
                writer.finish();
                bytes
            };
            EncodedStart { head: opening.to_wire_in(version), ops: ops.iter().map(encode_op).collect() }
        };
        SmallTraces {
            starts: small.starts.iter().filter(is_served).map(encode).collect(),
            depth,
            of_a_start: count(ops.len() as u64, depth),
        }
    }

    /// The number of traces; `None` beyond counting.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.of_a_start?.checked_mul(self.starts.len() as u64)
    }
}

/// The number of sequences of at most `depth` out of `ops` ops.
fn count(ops: u64, depth: u32) -> Option<u64> {
    (0..=depth).try_fold(0_u64, |sum, length| sum.checked_add(ops.checked_pow(length)?))
}

impl TraceSource for SmallTraces {
    /// There is one stream only.
    fn write(&mut self, _stream: u64, index: u64, wire: &mut Vec<u8>) {
        wire.clear();
        let of_a_start = self.of_a_start.unwrap_or(u64::MAX);
        #[allow(clippy::cast_possible_truncation)] // an index into a list in memory, or beyond it
        let Some(start) = self.starts.get((index / of_a_start) as usize) else { return };
        wire.extend_from_slice(&start.head);
        let ops = start.ops.len() as u64;
        let mut rank = index % of_a_start;
        // The number of traces of one length.
        let (mut length, mut place) = (0, 1_u64);
        while length < self.depth && place <= rank {
            rank -= place;
            place *= ops;
            length += 1;
        }
        // The rank among them is a number whose digits are the ops.
        for _ in 0..length {
            place /= ops;
            #[allow(clippy::cast_possible_truncation)] // below the number of ops
            wire.extend_from_slice(&start.ops[(rank / place) as usize]);
            rank %= place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::Contract as _;
    use memtwin_models::guest_memory::{DeviceSetup, GuestMemory, GuestMemoryContract, Op, Owner, Setup};
    use std::collections::BTreeSet;

    #[test]
    fn every_trace_comes_once_and_starts_come_in_a_row() {
        let op = |index| Op::MemorySize { owner: Owner::new_folded(index) };
        let start = |size| Start { setup: Setup::flat(size), opening: vec![op(3)] };
        let small = Small::<GuestMemory> { starts: vec![start(16), start(32)], ops: vec![op(0), op(1), op(2)] };
        let mut traces = SmallTraces::new(&small, &GuestMemoryContract::STRICT, 3);
        let count = traces.count().unwrap();
        assert_eq!(count, 2 * (1 + 3 + 9 + 27));
        let mut wire = Vec::new();
        let mut seen = BTreeSet::new();
        let mut last = (0, 0);
        for index in 0..count {
            traces.write(0, index, &mut wire);
            let trace = Trace::<GuestMemory>::from_wire(&wire);
            assert_eq!(trace.ops()[0], op(3));
            let place = (trace.setup.memory_size, trace.ops().len());
            assert!(last <= place, "{place:?} comes after {last:?}");
            last = place;
            assert!(seen.insert(wire.clone()), "trace {index} has been there before");
        }
        assert_eq!(last, (32, 4));
        traces.write(0, count, &mut wire);
        assert!(wire.is_empty());
    }

    #[test]
    fn what_a_contract_excludes_is_left_out() {
        let owner = Owner::new_folded(0);
        let start = |setup, opening| Start { setup, opening };
        let device = DeviceSetup { base: 0, size: 8, faulty_register: None };
        let small = Small::<GuestMemory> {
            starts: vec![
                start(Setup { devices: vec![device], ..Setup::flat(16) }, Vec::new()),
                start(Setup::flat(32), vec![Op::Dump { owner }, Op::MemorySize { owner }]),
            ],
            ops: vec![Op::MemorySize { owner }, Op::Dump { owner }],
        };
        let contract = GuestMemoryContract { no_devices: true, no_dump: true, ..GuestMemoryContract::STRICT };
        let mut traces = SmallTraces::new(&small, &contract, 2);
        assert_eq!(traces.count(), Some(3));
        for (index, length) in (0..).zip(1..=3) {
            let mut wire = Vec::new();
            traces.write(0, index, &mut wire);
            let trace = Trace::new(Setup::flat(32), vec![Op::MemorySize { owner }; length]);
            assert_eq!(Trace::<GuestMemory>::from_wire(&wire), trace);
        }
        let contract = GuestMemoryContract { largest_memory_bytes: 15, ..contract };
        assert_eq!(SmallTraces::new(&small, &contract, 2).count(), Some(0));
    }

    #[test]
    fn beyond_counting_is_no_number() {
        assert_eq!((count(3, 0), count(1, 5), count(1 << 32, 2)), (Some(1), Some(6), None));
    }
}
