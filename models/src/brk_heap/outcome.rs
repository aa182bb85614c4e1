//! What a program could see of a call, and the state that an audit is shown.

use super::contract::BrkHeapContract;
use super::op::{MAX_SHOWN_BYTES, OpKind};
use crate::vocabulary::DescribedHere;
use crate::{Effect, OutcomeClass};

/// The answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Seen {
    /// The subject cannot do such an op.
    Skipped,
    /// A block at this guest address: allocations, reallocations, and pushes, which may have moved the buffer.
    Block(u64),
    /// No memory.
    Null,
    /// It is done: dealloc, write, verify, fork, exec.
    Done,
    /// The slot is empty, so the program did nothing.
    Vacant,
    /// What `brk` answered to the other user, who has what it asked for.
    Break(u64),
    /// What `brk` answered to the other user, who has not.
    Refused(u64),
}

/// The system calls of the simulated process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum SystemCallKind {
    /// `brk(argument)`.
    Brk,
    /// `mmap(argument bytes)`.
    Mmap,
    /// `munmap(argument, length)`.
    Munmap,
}

/// One system call, as a tracer shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct SystemCall {
    /// Which.
    pub kind: SystemCallKind,
    /// The first argument.
    pub argument: u64,
    /// The second argument of `munmap`, in bytes.
    pub length: u64,
    /// The result, as the kernel gave it.
    pub result: u64,
}

/// Whether a system call's result is an error number (Linux: the last 4095 values).
#[inline]
#[must_use]
pub const fn is_error_number(result: u64) -> bool {
    u64::MAX - 4095 < result
}

/// The outcome of one call.
#[derive(Debug, DescribedHere)]
pub struct Outcome {
    /// The answer.
    pub result: Seen,
    /// The system calls that were made.
    pub calls: Vec<SystemCall>,
    /// The first guest address outside of all blocks whose poison is gone.
    pub stray_byte: Option<u64>,
    /// The offset of the first byte of a zeroed block that is not zero.
    pub nonzero: Option<u64>,
    /// The first address at which another user of `brk` no longer finds what it put there.
    pub foreign_byte: Option<u64>,
    /// The first address on a page that was mapped anew for another user of `brk` where it found no zero.
    pub dirty_byte: Option<u64>,
    /// How many bytes of the block the program looked at.
    pub shown_bytes: u32,
    buffer: Box<[u8]>,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome {
            result: Seen::Skipped,
            calls: Vec::with_capacity(16),
            stray_byte: None,
            nonzero: None,
            foreign_byte: None,
            dirty_byte: None,
            shown_bytes: 0,
            buffer: vec![0; MAX_SHOWN_BYTES as usize].into(),
        }
    }
}

impl Outcome {
    /// Where a program puts the `length` bytes of a block that it looks at.
    #[inline]
    pub fn show(&mut self, length: u32) -> &mut [u8] {
        self.shown_bytes = length.min(MAX_SHOWN_BYTES);
        &mut self.buffer[..self.shown_bytes as usize]
    }

    /// The bytes that the program looked at.
    #[inline]
    #[must_use]
    pub fn shown(&self) -> &[u8] {
        &self.buffer[..self.shown_bytes as usize]
    }

    /// Forgets the op before.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.result = Seen::Skipped;
        self.calls.clear();
        self.stray_byte = None;
        self.nonzero = None;
        self.foreign_byte = None;
        self.dirty_byte = None;
        self.shown_bytes = 0;
    }
}

pub(super) const CLASSES: &[OutcomeClass] = &[
    OutcomeClass { name: "done", effect: Effect::Success },
    OutcomeClass { name: "null", effect: Effect::Failure },
    OutcomeClass { name: "vacant", effect: Effect::Failure },
    OutcomeClass { name: "refused", effect: Effect::Failure },
    OutcomeClass { name: "skipped", effect: Effect::Skipped },
];

const DONE: usize = 0;
const NULL: usize = 1;
const VACANT: usize = 2;
const REFUSED: usize = 3;
const SKIPPED: usize = 4;

impl Seen {
    /// The index of the class in the component's outcome classes.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> usize {
        match self {
            Seen::Block(_) | Seen::Done | Seen::Break(_) => DONE,
            Seen::Null => NULL,
            Seen::Vacant => VACANT,
            Seen::Refused(_) => REFUSED,
            Seen::Skipped => SKIPPED,
        }
    }
}

/// Which classes a subject with this contract can show for this kind of op, over all setups it serves.
pub(super) const fn permits(contract: &BrkHeapContract, kind: OpKind, class: usize) -> bool {
    match kind {
        OpKind::Alloc | OpKind::AllocZeroed | OpKind::PushString | OpKind::PushVec => class == DONE || class == NULL,
        OpKind::Realloc => class == DONE || class == NULL || class == VACANT,
        OpKind::Dealloc | OpKind::Write | OpKind::WriteEnd | OpKind::Verify | OpKind::VerifyEnd => {
            class == DONE || class == VACANT
        }
        OpKind::RawBrk if contract.no_raw_brk => class == SKIPPED,
        OpKind::RawBrk => class == DONE || class == REFUSED,
        OpKind::VerifyRawBrk if contract.no_raw_brk => class == SKIPPED,
        OpKind::Fork | OpKind::Exec if contract.no_processes => class == SKIPPED,
        OpKind::VerifyRawBrk | OpKind::Fork | OpKind::Exec => class == DONE,
        OpKind::ReallocAligned if contract.no_new_alignment => class == SKIPPED,
        OpKind::ReallocAligned => class == DONE || class == NULL || class == VACANT,
    }
}

/// The state that an audit is shown. What a subject cannot show it leaves `None`.
#[derive(Debug, Default, DescribedHere)]
pub struct View {
    /// The allocator's words, (head, end); both are 0 before the first use.
    pub words: Option<(u64, u64)>,
    /// The words as the allocator left them, where they have been changed since by something else.
    pub changed_words: Option<(u64, u64)>,
    /// The kernel's break.
    pub program_break: Option<u64>,
    /// The first page between the heap's start and the break that is not mapped.
    pub unmapped_page: Option<u64>,
    /// Whether what other users of `brk` filled is asked for as well.
    pub is_full: bool,
    /// The first page between the break and the stack that is mapped, but for mappings and what the loader mapped.
    pub mapped_page: Option<u64>,
    /// The first address at which another user of `brk` no longer finds what it put there.
    pub foreign_byte: Option<u64>,
    /// The first register that changed over a system call, other than x0. 31 is the stack pointer.
    pub clobbered_register: Option<u8>,
    /// The pages that the kernel holds for mappings.
    pub mmapped_pages: Option<u64>,
}
