//! header_free: an allocator that must find out from a bare pointer who owns it, when `free` is called.
//!
//! The interface is the one of an allocator that sits in a program beside libc's, linked or preloaded: allocate by
//! kind, reallocate, free, with foreign mappings and page protections around it. This module holds its words;
//! [`model::HeaderFreeModel`] judges.

mod contract;
pub mod laws;
pub mod model;
mod op;
mod outcome;
mod setup;

pub use crate::allocation::Alignment;
pub use contract::HeaderFreeContract;
pub use op::{Kind, MAX_END_BYTES, MAX_SHOWN_BYTES, Op, OpKind, Protection, SLOTS, Side, Slot, THREADS, Thread};
pub use outcome::{Balance, Outcome, Route, Seen, View, Window};
pub use setup::{
    BLOCKS, BOOT_BLOCKS, BOOT_LIMIT_BYTES, CELLS, EDGES, FaultPlan, HEADER_BYTES, HEADER_MAGIC, Header, Libc,
    MAX_ALIGNMENT_BYTES, MincorePlan, Mode, PAGE_BYTES, SLAB_BYTES, SLAB_OFFSET_BYTES, SUPERSLAB_MAGIC, Setup,
    SlabOffset, TINY_CLASSES_BYTES, forged_header,
};

use crate::vocabulary::Vocabulary;
use crate::{Component, Law, OutcomeClass, Unsupported, vocabulary};

/// The component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderFree;

impl Component for HeaderFree {
    const NAME: &'static str = "header_free";
    const LAWS: &'static [Law] = laws::ALL;
    const OP_KINDS: &'static [&'static str] = OpKind::NAMES;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = outcome::CLASSES;
    const VOCABULARY: Vocabulary = vocabulary!(HeaderFree, setup::NUMBERS, op::NUMBERS);

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = HeaderFreeContract;
    type View = View;
    type Model = model::HeaderFreeModel;

    #[inline]
    fn op_kind(op: &Op) -> usize {
        op.kind() as usize
    }

    #[inline]
    fn outcome_class(seen: &Outcome) -> usize {
        seen.result.class()
    }

    fn permits(_contract: &HeaderFreeContract, op_kind: usize, outcome_class: usize) -> bool {
        outcome::permits(OpKind::ALL[op_kind], outcome_class)
    }

    fn serves(contract: &HeaderFreeContract, setup: &Setup) -> Result<(), Unsupported> {
        let is_served = contract.real_libc || setup.libc == Libc::Ledger;
        if is_served { Ok(()) } else { Err(Unsupported("libc is simulated here")) }
    }
}
