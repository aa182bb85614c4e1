//! temp_map: temporary mappings, and what rests on them, in a 32-bit kernel with two levels of page tables.
//!
//! The interface is the one of a hobby operating system's virtual memory: slots and pages of a window in the kernel
//! half, user pages, processes that are made, forked and destroyed, copy-on-write, system calls that copy from and to
//! programs, and an ELF loader. The machine is simulated: memory, two processors with look-aside buffers, page faults
//! with error codes. This module holds its words, [`mmu`] its hardware; [`model::TempMapModel`] judges.

mod address;
mod by_hand;
mod contract;
mod forms;
pub mod laws;
pub mod mmu;
pub mod model;
mod op;
mod operands;
mod outcome;
mod setup;

pub use address::{PhysicalAddress, VirtualAddress};
pub use contract::TempMapContract;
pub use op::{MAX_FILE_BYTES, Op, OpKind, file_of};
pub use operands::{
    Cpu, HOLDS, Hold, MAX_SEGMENTS, Mode, PROCESSES, PageFlags, PageSource, Process, Segment, Segments, Space,
    TempFrame,
};
pub use outcome::{Free, Kept, Outcome, PageShown, SLOT_WORDS, SPACES, Seen, View, Wanted};
pub use setup::{
    BOOT_FRAMES, CPUS, EDGES, KERNEL_HALF, KERNEL_PAGE, MAX_FRAMES, MIN_FRAMES, PAGE_BYTES, SLOTS,
    SYSTEM_CALL_LIMIT_BYTES, Setup, WINDOW_BASE,
};

use crate::vocabulary::Vocabulary;
use crate::{Component, Law, OutcomeClass, vocabulary};

/// The component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TempMap;

impl Component for TempMap {
    const NAME: &'static str = "temp_map";
    const LAWS: &'static [Law] = laws::ALL;
    const OP_KINDS: &'static [&'static str] = OpKind::NAMES;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = outcome::CLASSES;
    const VOCABULARY: Vocabulary =
        vocabulary!(TempMap, setup::NUMBERS, op::NUMBERS, operands::NUMBERS, outcome::NUMBERS, mmu::NUMBERS);

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = TempMapContract;
    type View = View;
    type Model = model::TempMapModel;

    #[inline]
    fn op_kind(op: &Op) -> usize {
        op.kind() as usize
    }

    #[inline]
    fn outcome_class(seen: &Outcome) -> usize {
        seen.result.class()
    }

    fn permits(_contract: &TempMapContract, op_kind: usize, outcome_class: usize) -> bool {
        outcome::permits(OpKind::ALL[op_kind], outcome_class)
    }
}
