//! brk_heap: a bump allocator over `brk`, in a small simulated process.
//!
//! The interface is the one of the userspace allocator of a hobby operating system: allocate, reallocate, free, and the
//! growth of strings and vectors on top, with a system-call gate, a kernel and a page map beneath. This module holds
//! its words; [`model::BrkHeapModel`] judges.

mod contract;
pub mod laws;
pub mod model;
mod op;
mod operands;
mod outcome;
mod setup;

pub use crate::allocation::{Alignment, Size, Unit};
pub use contract::BrkHeapContract;
pub use op::{MAX_SHOWN_BYTES, Op, OpKind};
pub use operands::{BrkRequest, GuestAddress, SLOTS, Slot};
pub use outcome::{Outcome, Seen, SystemCall, SystemCallKind, View, is_error_number};
pub use setup::{
    BSS_START, CopyOrder, EDGES, ENOMEM, FIRST_EXTENT_BYTES, GUEST_END, Granularity, MAX_BSS_BYTES, MAX_FRAMES,
    MIN_BSS_BYTES, MMAP_START, PAGE_BYTES, Placement, Refusal, STACK_BYTES, STACK_LOW, STACK_TOP, Setup, StackLow,
    Storage, TEXT_START,
};

use crate::vocabulary::Vocabulary;
use crate::{Component, Law, OutcomeClass, vocabulary};

/// The component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrkHeap;

impl Component for BrkHeap {
    const NAME: &'static str = "brk_heap";
    const LAWS: &'static [Law] = laws::ALL;
    const OP_KINDS: &'static [&'static str] = OpKind::NAMES;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = outcome::CLASSES;
    const VOCABULARY: Vocabulary = vocabulary!(BrkHeap, setup::NUMBERS, op::NUMBERS, operands::NUMBERS);

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = BrkHeapContract;
    type View = View;
    type Model = model::BrkHeapModel;

    #[inline]
    fn op_kind(op: &Op) -> usize {
        op.kind() as usize
    }

    #[inline]
    fn outcome_class(seen: &Outcome) -> usize {
        seen.result.class()
    }

    fn permits(contract: &BrkHeapContract, op_kind: usize, outcome_class: usize) -> bool {
        outcome::permits(contract, OpKind::ALL[op_kind], outcome_class)
    }
}
