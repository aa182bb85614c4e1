//! Simpler heap setups, plainer calls, and operands that mean something together, for the shrinker. Each variant is
//! smaller in a fixed order, so shrinking ends. Simpler operands stand beside the ops in the models.

use crate::rig::{Simplify, Wire as _};
use memtwin_models::heap::{Alignment, Fault, Fill, Heap, Op, SecondRegion, Setup, Size, Slot};
use memtwin_models::operand::Simpler as _;
use memtwin_models::wire::{Reader, Version, Writer, read_tagged};

/// Sizes of a region that a reader knows by sight, the plainest first.
const PLAIN_REGIONS: [u32; 4] = [4096, 1024, 256, 0x1_0000];

impl Simplify for Heap {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        let mut simpler = Vec::new();
        if setup.threads != 1 {
            simpler.push(Setup { threads: 1, ..setup.clone() });
        }
        if let Some(fault) = setup.fault {
            simpler.push(Setup { fault: None, ..setup.clone() });
            let with = |fault| Setup { fault: Some(fault), ..setup.clone() };
            simpler.extend(fault.lasts.then(|| with(Fault { lasts: false, ..fault })));
            let earlier = smaller(fault.after.into()).filter_map(|after| u16::try_from(after).ok());
            simpler.extend(earlier.map(|after| with(Fault { after, ..fault })));
        }
        if let Some(second) = setup.second {
            simpler.push(Setup { second: None, ..setup.clone() });
            let with = |second| Setup { second: Some(second), ..setup.clone() };
            simpler.extend(smaller(second.gap_bytes).map(|gap_bytes| with(SecondRegion { gap_bytes, ..second })));
            simpler.extend(smaller(second.bytes).map(|bytes| with(SecondRegion { bytes, ..second })));
        }
        simpler.extend(smaller(setup.extend_bytes).map(|extend_bytes| Setup { extend_bytes, ..setup.clone() }));
        simpler.extend(smaller(setup.skew_bytes).map(|skew_bytes| Setup { skew_bytes, ..setup.clone() }));
        if setup.memory_holds != Fill::Zeros {
            simpler.push(Setup { memory_holds: Fill::Zeros, ..setup.clone() });
        }
        let first = setup.first_bytes;
        let rank = PLAIN_REGIONS.iter().position(|plain| *plain == first).unwrap_or(PLAIN_REGIONS.len());
        let others = smaller(first).filter(|bytes| rank == PLAIN_REGIONS.len() && !PLAIN_REGIONS.contains(bytes));
        let plainer = PLAIN_REGIONS[..rank].iter().copied().chain(others);
        simpler.extend(plainer.map(|first_bytes| Setup { first_bytes, ..setup.clone() }));
        simpler.retain(|setup| setup.check().is_ok());
        simpler
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        plainer_calls(op).into_iter().chain(op.simpler()).collect()
    }

    /// Sizes that keep their distance from an edge when a region becomes smaller, and the slots renamed.
    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        let setups = Heap::simpler_setups(setup).into_iter().filter(|simpler| simpler.edges() != setup.edges());
        let mut candidates: Vec<_> = setups.map(|simpler| (simpler.clone(), under(setup, &simpler, ops))).collect();
        candidates.retain(|(_, candidate)| candidate != ops);
        candidates.extend(renamed(ops).map(|ops| (setup.clone(), ops)));
        candidates
    }
}

/// Smaller numbers, from far to near.
fn smaller(number: u32) -> impl Iterator<Item = u32> {
    (0..32).map_while(move |shift| Some(number >> shift).filter(|step| *step != 0)).map(move |step| number - step)
}

/// Calls that say less: one block instead of several or of a growing buffer, without an alignment, without zeros. Each
/// has an earlier place in the order of declaration of its language.
fn plainer_calls(op: &Op) -> Vec<Op> {
    // What malloc means by no alignment, in a layout.
    let alloc = |slot: Slot, size: Size| {
        let exponent = size.0.clamp(1, 16).ilog2().to_le_bytes()[0];
        Op::Alloc { slot, size, align: Alignment::from_exponent_folded(exponent) }
    };
    match *op {
        Op::Calloc { slot, count, size } => {
            count.0.checked_mul(size.0).map(|size| Op::Malloc { slot, size: Size(size) }).into_iter().collect()
        }
        Op::PosixMemalign { slot, size, .. }
        | Op::AlignedAlloc { slot, size, .. }
        | Op::Memalign { slot, size, .. } => {
            vec![Op::Malloc { slot, size }]
        }
        Op::AllocZeroed { slot, size, align } => vec![Op::Alloc { slot, size, align }],
        Op::Relayout { slot, size, align, .. } => vec![Op::Alloc { slot, size, align }],
        Op::Realloc { slot, size } => vec![Op::Malloc { slot, size }, alloc(slot, size)],
        Op::Reallocarray { slot, count, size } => {
            count.0.checked_mul(size.0).map(|size| Op::Realloc { slot, size: Size(size) }).into_iter().collect()
        }
        Op::PushString { slot, length } => vec![Op::Malloc { slot, size: Size(u64::from(length)) }],
        Op::PushVec { slot, length } => vec![Op::Malloc { slot, size: Size(8 * u64::from(length)) }],
        Op::Fill { slot, size, .. } => vec![Op::Malloc { slot, size }, alloc(slot, size)],
        Op::Drain { slot, .. } => vec![Op::Free { slot }],
        Op::Malloc { .. }
        | Op::Alloc { .. }
        | Op::Free { .. }
        | Op::FreeNull
        | Op::UsableSize { .. }
        | Op::Write { .. }
        | Op::Verify { .. }
        | Op::FreeAll { .. }
        | Op::Extend { .. }
        | Op::AddRegion
        | Op::Largest { .. }
        | Op::Trim
        | Op::Cycle { .. }
        | Op::ThreadStart
        | Op::ThreadExit => Vec::new(),
    }
}

/// The ops as their bytes read under another setup.
fn under(setup: &Setup, other: &Setup, ops: &[Op]) -> Vec<Op> {
    let mut wire = Vec::new();
    let mut writer = Writer::of(Version::Two, &mut wire);
    let (edges, other_edges) = (Heap::edges(setup), Heap::edges(other));
    ops.iter().for_each(|op| op.write(&edges, &mut writer));
    writer.finish();
    let mut reader = Reader::new(&wire);
    let next = || read_tagged(Version::Two, &mut reader, |tag, reader| Op::read(tag, &other_edges, reader));
    std::iter::from_fn(next).collect()
}

/// The slots in the order of their first use, if they are not.
fn renamed(ops: &[Op]) -> Option<Vec<Op>> {
    let mut order: Vec<Slot> = Vec::new();
    for slot in ops.iter().filter_map(Op::slot) {
        if !order.contains(&slot) {
            order.push(slot);
        }
    }
    let mut candidate = ops.to_vec();
    for slot in candidate.iter_mut().filter_map(Op::slot_mut) {
        let place = order.iter().position(|known| known == slot);
        *slot = Slot::new_folded(place.and_then(|place| u16::try_from(place).ok()).unwrap_or(0));
    }
    (candidate != ops).then_some(candidate)
}
