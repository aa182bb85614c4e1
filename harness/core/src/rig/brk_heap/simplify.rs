//! Simpler brk-heap setups, and slots renamed together, for the shrinker. Each variant is smaller in a fixed order, so
//! shrinking ends. Simpler ops follow from their operands.

use crate::rig::Simplify;
use memtwin_models::brk_heap::{
    BrkHeap, CopyOrder, FIRST_EXTENT_BYTES, Granularity, MIN_BSS_BYTES, Op, Placement, Refusal, Setup, Slot, StackLow,
    Storage,
};
use memtwin_models::operand::Simpler as _;

/// Frame counts that a reader knows by sight, the plainest first.
const PLAIN_FRAMES: [u32; 5] = [64, 16, 17, 256, 8];

impl Simplify for BrkHeap {
    fn simpler_setups(setup: &Setup) -> Vec<Setup> {
        let mut simpler = Vec::new();
        let mut add = |is_other: bool, setup: Setup| {
            if is_other {
                simpler.push(setup);
            }
        };
        let reported = Setup::reported(0);
        let moved = |bss_bytes| {
            let stack_low =
                setup.stack_low.0.max(Setup { bss_bytes, ..setup.clone() }.heap_start() + FIRST_EXTENT_BYTES);
            Setup { bss_bytes, stack_low: StackLow(stack_low), ..setup.clone() }
        };
        // The reported way to copy is kept where it is: it is what the report's addresses come from.
        let is_plain_order =
            matches!(setup.copy_order, CopyOrder::Ascending) || setup.copy_order == reported.copy_order;
        add(setup.bss_bytes != MIN_BSS_BYTES, moved(MIN_BSS_BYTES));
        add(setup.placement != Placement::default(), Setup { placement: Placement::default(), ..setup.clone() });
        for placement in plainer_placements(&setup.placement) {
            add(true, Setup { placement, ..setup.clone() });
        }
        add(!is_plain_order, Setup { copy_order: CopyOrder::Ascending, ..setup.clone() });
        add(setup.refusal != Refusal::CurrentBreak, Setup { refusal: Refusal::CurrentBreak, ..setup.clone() });
        add(setup.granularity != Granularity::Page, Setup { granularity: Granularity::Page, ..setup.clone() });
        add(setup.stack_low != StackLow::default(), Setup { stack_low: StackLow::default(), ..setup.clone() });
        add(setup.dirty_pages, Setup { dirty_pages: false, ..setup.clone() });
        let rank = PLAIN_FRAMES.iter().position(|&plain| plain == setup.frames).unwrap_or(PLAIN_FRAMES.len());
        for &frames in &PLAIN_FRAMES[..rank] {
            add(true, Setup { frames, ..setup.clone() });
        }
        simpler
    }

    fn simpler_ops(_setup: &Setup, op: &Op) -> Vec<Op> {
        op.simpler()
    }

    fn simpler_together(setup: &Setup, ops: &[Op]) -> Vec<(Setup, Vec<Op>)> {
        together(ops).into_iter().map(|ops| (setup.clone(), ops)).collect()
    }
}

/// Each local on the stack instead of in its register.
fn plainer_placements(placement: &Placement) -> Vec<Placement> {
    let saved = Storage::Saved;
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
    let mut candidate = ops.to_vec();
    for slot in candidate.iter_mut().filter_map(Op::slot_mut) {
        *slot = renamed(*slot);
    }
    if candidate == ops { Vec::new() } else { vec![candidate] }
}
