//! Simpler brk-heap setups and ops, for the shrinker. Each variant is smaller in a fixed order, so shrinking ends.

use crate::rig::Simplify;
use memtwin_models::brk_heap::{
    Alignment, BrkHeap, BrkRequest, CopyOrder, Granularity, GuestAddress, MIN_BSS_BYTES, Op, Place, Placement, Refusal,
    Setup, Slot,
};

/// Frame counts that a reader knows by sight, the plainest first.
const PLAIN_FRAMES: [u32; 5] = [64, 16, 17, 256, 8];
/// Sizes that a person writes by hand, the plainest first.
const PLAIN_SIZES: [u64; 6] = [64, 100, 16, 8, 1, 0x1_0000];

impl Simplify for BrkHeap {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        let mut simpler = Vec::new();
        let mut add = |is_other: bool, setup: Setup| {
            if is_other {
                simpler.push(setup);
            }
        };
        let reported = Setup::reported(0);
        // The reported way to copy is kept where it is: it is what the report's addresses come from.
        let is_plain_order =
            matches!(setup.copy_order, CopyOrder::Ascending) || setup.copy_order == reported.copy_order;
        add(setup.bss_bytes != MIN_BSS_BYTES, Setup { bss_bytes: MIN_BSS_BYTES, ..setup.clone() });
        add(setup.placement != Placement::default(), Setup { placement: Placement::default(), ..setup.clone() });
        for placement in plainer_placements(&setup.placement) {
            add(true, Setup { placement, ..setup.clone() });
        }
        add(!is_plain_order, Setup { copy_order: CopyOrder::Ascending, ..setup.clone() });
        add(setup.refusal != Refusal::CurrentBreak, Setup { refusal: Refusal::CurrentBreak, ..setup.clone() });
        add(setup.granularity != Granularity::Page, Setup { granularity: Granularity::Page, ..setup.clone() });
        add(setup.dirty_pages, Setup { dirty_pages: false, ..setup.clone() });
        let rank = PLAIN_FRAMES.iter().position(|&plain| plain == setup.frames).unwrap_or(PLAIN_FRAMES.len());
        for &frames in &PLAIN_FRAMES[..rank] {
            add(true, Setup { frames, ..setup.clone() });
        }
        simpler
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        match *op {
            Op::Alloc { slot, size, align } => {
                let sizes = sizes(size).map(|size| Op::Alloc { slot, size, align });
                sizes.chain(alignments(align).map(|align| Op::Alloc { slot, size, align })).collect()
            }
            Op::AllocZeroed { slot, size, align } => {
                let sizes = sizes(size).map(|size| Op::AllocZeroed { slot, size, align });
                sizes.chain(alignments(align).map(|align| Op::AllocZeroed { slot, size, align })).collect()
            }
            Op::Realloc { slot, size } => sizes(size).map(|size| Op::Realloc { slot, size }).collect(),
            Op::Write { slot, seed, length } => {
                let seeds = (seed != 0).then_some(Op::Write { slot, seed: 0, length });
                let lengths = sizes(u64::from(length)).filter(|&shorter| shorter < u64::from(length));
                let lengths = lengths.filter_map(|length| u32::try_from(length).ok());
                seeds.into_iter().chain(lengths.map(|length| Op::Write { slot, seed, length })).collect()
            }
            Op::PushString { slot, seed, length } => {
                let seeds = (seed != 0).then_some(Op::PushString { slot, seed: 0, length });
                seeds.into_iter().chain(shorter(length).map(|length| Op::PushString { slot, seed, length })).collect()
            }
            Op::PushVec { slot, seed, length } => {
                let seeds = (seed != 0).then_some(Op::PushVec { slot, seed: 0, length });
                seeds.into_iter().chain(shorter(length).map(|length| Op::PushVec { slot, seed, length })).collect()
            }
            Op::RawBrk { request: BrkRequest::Grow(bytes) } => [4096, 0x1_0000]
                .into_iter()
                .filter(|&plain| plain < bytes)
                .map(|bytes| Op::RawBrk { request: BrkRequest::Grow(bytes) })
                .collect(),
            Op::RawBrk { request: BrkRequest::At(GuestAddress(address)) } => {
                let last_pages = [u64::MAX - 0xffe, u64::MAX];
                let rank = last_pages.iter().position(|&known| known == address).unwrap_or(last_pages.len());
                let simpler = last_pages.into_iter().take(rank);
                simpler.map(|address| Op::RawBrk { request: BrkRequest::At(GuestAddress(address)) }).collect()
            }
            Op::Dealloc { .. }
            | Op::Verify { .. }
            | Op::RawBrk { request: BrkRequest::Query | BrkRequest::GiveBack } => Vec::new(),
        }
    }

    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        together(ops).into_iter().map(|ops| (setup.clone(), ops)).collect()
    }
}

/// Each local on the stack instead of in its register.
fn plainer_placements(placement: &Placement) -> Vec<Placement> {
    let saved = Place::Saved;
    let candidates = [
        Placement { size: saved, ..*placement },
        Placement { mask: saved, ..*placement },
        Placement { head: saved, ..*placement },
        Placement { new_head: saved, ..*placement },
        Placement { new_end: saved, ..*placement },
    ];
    candidates.into_iter().filter(|candidate| candidate != placement && *candidate != Placement::default()).collect()
}

/// The slots renamed in the order of their first use.
fn together(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut order: Vec<Slot> = Vec::new();
    for slot in ops.iter().filter_map(Op::slot) {
        if !order.contains(&slot) {
            order.push(slot);
        }
    }
    let renamed = |slot: Slot| {
        let index = order.iter().position(|known| *known == slot).unwrap_or(0);
        Slot::new_folded(u8::try_from(index).unwrap_or(0))
    };
    let candidate: Vec<Op> = ops.iter().map(|op| with_slot(op, &renamed)).collect();
    if candidate == ops { Vec::new() } else { vec![candidate] }
}

fn with_slot(op: &Op, renamed: &impl Fn(Slot) -> Slot) -> Op {
    let mut op = op.clone();
    match &mut op {
        Op::Alloc { slot, .. }
        | Op::AllocZeroed { slot, .. }
        | Op::Realloc { slot, .. }
        | Op::Dealloc { slot }
        | Op::Write { slot, .. }
        | Op::Verify { slot }
        | Op::PushString { slot, .. }
        | Op::PushVec { slot, .. } => *slot = renamed(*slot),
        Op::RawBrk { .. } => {}
    }
    op
}

/// Plain sizes first, then steps from far to near below.
fn sizes(size: u64) -> impl Iterator<Item = u64> {
    let rank = PLAIN_SIZES.iter().position(|&plain| plain == size);
    let plain = PLAIN_SIZES.into_iter().take(rank.unwrap_or(PLAIN_SIZES.len()));
    let steps = (0..64).map_while(move |shift| Some(size >> shift).filter(|&step| step != 0));
    plain.chain(steps.map(move |step| size - step).filter(move |_| rank.is_none()))
}

/// Smaller alignments, 1 first.
fn alignments(align: Alignment) -> impl Iterator<Item = Alignment> {
    (0..align.exponent()).map(Alignment::from_exponent_folded)
}

fn shorter(length: u8) -> impl Iterator<Item = u8> {
    [1, 4, 8, 16, 64].into_iter().filter(move |&plain| plain < length)
}
