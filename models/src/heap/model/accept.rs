//! What comes of a step that a list of known findings accepts: the model goes on with what the heap answered, where the
//! answer says what state the heap is in. Does not judge.

use super::super::laws::{ALIGNED, ERRNO, KEPT, OVER_READ, REFUSAL, USABLE, ZEROED};
use super::super::op::Op;
use super::super::outcome::{Outcome, Seen};
use super::HeapModel;
use crate::allocation::Unit;
use crate::{Divergence, Law};

impl HeapModel {
    /// Takes the step that has just been found to break this law.
    pub(super) fn take_accepted(&mut self, op: &Op, seen: &Outcome, divergence: &Divergence) -> bool {
        let is = |law: &Law| divergence.law == law.name;
        if is(&USABLE) {
            return true;
        }
        // Many calls in one: the answers behind the first wrong one are not judged yet.
        if matches!(op, Op::Fill { .. } | Op::Drain { .. } | Op::FreeAll { .. } | Op::Largest { .. } | Op::Cycle { .. })
        {
            return false;
        }
        if is(&KEPT) || is(&OVER_READ) || is(&ZEROED) && matches!(op, Op::Relayout { .. }) {
            return self.take_moved(op, seen);
        }
        if matches!(op, Op::Free { .. } | Op::FreeNull) {
            return is(&ERRNO);
        }
        // Nothing was changed before these were judged but that the slot's old block is free.
        (is(&ALIGNED) || is(&REFUSAL) || is(&ERRNO) || is(&ZEROED)) && self.take_excused(op, seen, divergence)
    }

    /// Judges the op again without the law.
    fn take_excused(&mut self, op: &Op, seen: &Outcome, divergence: &Divergence) -> bool {
        // A block of a size that cannot be is no block.
        if divergence.law == REFUSAL.name && seen.result != Seen::Null {
            return false;
        }
        self.excused = Some(divergence.law);
        let is_right = self.step(op, seen).is_ok();
        self.excused = None;
        is_right
    }

    /// The block has its new place, with other bytes than it should have; the program fills it anew.
    fn take_moved(&mut self, op: &Op, seen: &Outcome) -> bool {
        let (Some(slot), Seen::Block(_)) = (op.slot(), seen.result) else { return false };
        let Some(block) = self.blocks.get(slot) else { return false };
        let align = if let Op::Relayout { align, .. } = *op { align.bytes() } else { block.align };
        self.settle(slot, align, seen.write_number);
        if let Op::PushString { length, .. } = *op {
            self.lengthen(slot, u64::from(length) * Unit::Byte.bytes());
        } else if let Op::PushVec { length, .. } = *op {
            self.lengthen(slot, u64::from(length) * Unit::Word.bytes());
        }
        true
    }
}
