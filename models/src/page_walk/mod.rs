//! page_walk: guest page tables, reads by guest virtual address, region lists, and buffers shared with a hostile guest.
//!
//! The interface is the one of a micro-VM host's sandbox memory manager. Everything that a guest can write is hostile:
//! tables, pointers, prefixes, counts. This module holds its words; [`model::PageWalkModel`] judges, and
//! [`translate::walk`] is the walk of one address that all of it rests on.

mod contract;
pub mod laws;
pub mod model;
mod op;
mod outcome;
mod setup;
pub mod translate;

pub use contract::PageWalkContract;
pub use op::{Backing, File, MAX_FILLED, MAX_READ_BYTES, MappingKind, Op, OpKind, Prefix, SLOTS, Slot};
pub use outcome::{Access, HostRange, Outcome, Refusal, Region, RegionKind, Seen, Span, View};
pub use setup::{
    BOOKKEEPING_BYTES, EDGES, FILE_MAPPING_BYTES, FILE_MAPPING_LIST_BYTES, GPA_END, HOST_SLOT_BYTES, MAX_BACKING_BYTES,
    MAX_FILE_MAPPINGS, MAX_MAPPED, MAX_TABLES, MAX_TAIL_PAGES, MappedSetup, PAGE_BYTES, PHYSICAL_END, SNAPSHOT_GPA,
    Setup, WorkBounds,
};

use crate::vocabulary::Vocabulary;
use crate::{Component, Law, OutcomeClass, Unsupported, vocabulary};

/// A mapping of more pages than this is refused.
pub const MAX_MAPPED_PAGES: u64 = 1 << 15;
/// What file mappings and the snapshot hold at first: this pattern from the place of the backing's index on.
pub const FIRST_CONTENT: crate::Payload = crate::Payload { seed: 0x4321, length: 0 };

/// The component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageWalk;

impl Component for PageWalk {
    const NAME: &'static str = "page_walk";
    const LAWS: &'static [Law] = laws::ALL;
    const OP_KINDS: &'static [&'static str] = OpKind::NAMES;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = outcome::CLASSES;
    const VOCABULARY: Vocabulary = vocabulary!(PageWalk, setup::NUMBERS, op::NUMBERS);

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = PageWalkContract;
    type View = View;
    type Model = model::PageWalkModel;

    #[inline]
    fn op_kind(op: &Op) -> usize {
        op.kind() as usize
    }

    #[inline]
    fn outcome_class(seen: &Outcome) -> usize {
        seen.result.class()
    }

    fn serves(contract: &PageWalkContract, setup: &Setup) -> Result<(), Unsupported> {
        contract.serves(setup)
    }

    fn asks(contract: &PageWalkContract, op: &Op) -> bool {
        contract.asks(op)
    }

    fn permits(contract: &PageWalkContract, op_kind: usize, outcome_class: usize) -> bool {
        outcome::permits(contract, OpKind::ALL[op_kind], outcome_class)
    }
}
