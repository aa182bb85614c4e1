//! heap: any allocator, in Rust or C: an arena over given memory, a `GlobalAlloc`, a malloc library.
//!
//! The interface is what a program may rely on: C's malloc family, Rust's allocation calls, and what arenas have
//! besides. This module holds its words; [`model::HeapModel`] judges.

pub mod contents;
mod contract;
pub mod laws;
pub mod model;
mod op;
mod operands;
mod outcome;
mod setup;
mod shown;

pub use crate::allocation::{Alignment, Size, Unit};
pub use contract::{Calls, HeapContract};
pub use op::{
    MAX_WRITTEN_BYTES, MEASURED_REPEATS, MOST_TOUCHED_BYTES, Op, OpKind, REFUSABLE_BYTES, UNANSWERED_BYTES,
    WARM_UP_REPEATS,
};
pub use operands::{AnyAlignment, FreedBy, Order, SLOTS, Slot};
pub use outcome::{Held, Outcome, Seen, View};
pub use setup::{
    ARENA_BASE, ARENA_BYTES, BOUNDARY_BYTES, EDGES, Fault, Fill, MAX_REGION_BYTES, MAX_SECOND_BYTES, MAX_THREADS,
    Request, SecondRegion, Setup,
};
pub use shown::{Shown, Window};

use crate::vocabulary::Vocabulary;
use crate::{Component, Law, OutcomeClass, Unsupported, vocabulary};

/// The component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heap;

impl Component for Heap {
    const NAME: &'static str = "heap";
    const LAWS: &'static [Law] = laws::ALL;
    const OP_KINDS: &'static [&'static str] = OpKind::NAMES;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = outcome::CLASSES;
    const VOCABULARY: Vocabulary = vocabulary!(Heap, setup::NUMBERS, op::NUMBERS, operands::NUMBERS);
    const LANES: u8 = MAX_THREADS;

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = HeapContract;
    type View = View;
    type Model = model::HeapModel;

    #[inline]
    fn op_kind(op: &Op) -> usize {
        op.kind() as usize
    }

    #[inline]
    fn outcome_class(seen: &Outcome) -> usize {
        seen.result.class()
    }

    #[inline]
    fn ends_thread(op: &Op) -> bool {
        matches!(op, Op::ThreadExit)
    }

    fn permits(contract: &HeapContract, op_kind: usize, outcome_class: usize) -> bool {
        outcome::permits(contract, OpKind::ALL[op_kind], outcome_class)
    }

    fn serves(contract: &HeapContract, setup: &Setup) -> Result<(), Unsupported> {
        contract.serves(setup)
    }

    fn asks(contract: &HeapContract, op: &Op) -> bool {
        contract.asks(op)
    }
}
