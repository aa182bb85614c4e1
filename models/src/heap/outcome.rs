//! What a program could see of a call, and the state that an audit is shown. Outcome classes hold no address, no usable
//! size and no alignment: where a block lies is the allocator's choice.

use super::contract::HeapContract;
use super::op::OpKind;
use super::operands::{SLOTS, Slot};
use super::shown::Shown;
use crate::vocabulary::DescribedHere;
use crate::{Effect, OutcomeClass};

/// The room for bytes that the program looks at during one op.
const OUTCOME_BYTES: usize = 1 << 17;
/// The room for bytes that it looks at for an audit.
const VIEW_BYTES: usize = SLOTS as usize * 256;

/// The answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Seen {
    /// The subject does not have this call.
    Skipped,
    /// The language cannot say the request: no `Layout` is so large. Nothing was called.
    Unaskable,
    /// A block at this address.
    Block(u64),
    /// Null.
    Null,
    /// `posix_memalign` answered EINVAL, or another call answered null and set `errno` to it.
    Invalid,
    /// It is done: free, write, verify, batches, trim, a thread's begin and end.
    Done,
    /// The slot is empty, there is nothing to do, or the block is too much to touch: the program did nothing.
    Vacant,
    /// A number of bytes: the usable size, or the size of the largest block.
    Bytes(u64),
    /// An arena takes no more memory.
    Refused,
}

/// What an allocator held from the system while a cycle was measured, in bytes: the most in each half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct Held {
    /// In the first half of the measured repeats.
    pub first: u64,
    /// In the second half.
    pub second: u64,
}

/// The outcome of one call.
#[derive(Debug, DescribedHere)]
pub struct Outcome {
    /// The answer.
    pub result: Seen,
    /// `errno` after the call that was last made, which was made with `errno` 0; `None` where the subject has no
    /// `errno`.
    pub errno: Option<i32>,
    /// The address of the first byte outside of the regions, or of regions that the arena does not have yet, that
    /// changed.
    pub stray_byte: Option<u64>,
    /// The offset of the first byte that was to be zero and is not.
    pub nonzero: Option<u64>,
    /// The number of the first write that the program made to blocks during the op.
    pub write_number: u64,
    /// The answers of a batch, in the order of its calls; 0 is null.
    pub batch: Vec<u64>,
    /// Whether the system refused the allocator something during the op.
    pub system_refused: bool,
    /// What the allocator held during a cycle, if it can tell.
    pub held: Option<Held>,
    /// The bytes of blocks that the program looked at.
    pub shown: Shown,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome {
            result: Seen::Skipped,
            errno: None,
            stray_byte: None,
            nonzero: None,
            write_number: 0,
            batch: Vec::with_capacity(256),
            system_refused: false,
            held: None,
            shown: Shown::with_room(OUTCOME_BYTES),
        }
    }
}

impl Outcome {
    /// Forgets the op before.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.result = Seen::Skipped;
        self.errno = None;
        self.stray_byte = None;
        self.nonzero = None;
        self.write_number = 0;
        self.batch.clear();
        self.system_refused = false;
        self.held = None;
        self.shown.clear();
    }
}

pub(super) const CLASSES: &[OutcomeClass] = &[
    OutcomeClass { name: "done", effect: Effect::Success },
    OutcomeClass { name: "null", effect: Effect::Failure },
    OutcomeClass { name: "invalid", effect: Effect::Failure },
    OutcomeClass { name: "vacant", effect: Effect::Failure },
    OutcomeClass { name: "refused", effect: Effect::Failure },
    OutcomeClass { name: "skipped", effect: Effect::Skipped },
];

const DONE: usize = 0;
const NULL: usize = 1;
const INVALID: usize = 2;
const VACANT: usize = 3;
const REFUSED: usize = 4;
const SKIPPED: usize = 5;

impl Seen {
    /// The index of the class in the component's outcome classes.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> usize {
        match self {
            Seen::Block(_) | Seen::Done | Seen::Bytes(_) => DONE,
            Seen::Null => NULL,
            Seen::Invalid => INVALID,
            Seen::Vacant | Seen::Unaskable => VACANT,
            Seen::Refused => REFUSED,
            Seen::Skipped => SKIPPED,
        }
    }
}

/// Which classes a subject with this contract can show for this kind of op, over all setups it serves.
pub(super) const fn permits(contract: &HeapContract, kind: OpKind, class: usize) -> bool {
    if !contract.has(kind) {
        return class == SKIPPED;
    }
    match kind {
        OpKind::Malloc | OpKind::Calloc | OpKind::AlignedAlloc | OpKind::Memalign | OpKind::Fill => {
            class == DONE || class == NULL
        }
        OpKind::PosixMemalign => class == DONE || class == NULL || class == INVALID,
        OpKind::Alloc | OpKind::AllocZeroed => class == DONE || class == NULL || class == VACANT,
        OpKind::Relayout | OpKind::Realloc | OpKind::Reallocarray => class == DONE || class == NULL || class == VACANT,
        // What is pushed is so little that a heap with memory of its own refuses it only when the system refuses.
        OpKind::PushString | OpKind::PushVec => class == DONE || class == NULL && !contract.own_memory,
        OpKind::Free | OpKind::UsableSize | OpKind::Write | OpKind::Verify | OpKind::Drain | OpKind::FreeAll => {
            class == DONE || class == VACANT
        }
        OpKind::FreeNull | OpKind::Largest | OpKind::Trim | OpKind::Cycle | OpKind::ThreadStart => class == DONE,
        OpKind::Extend | OpKind::AddRegion => class == DONE || class == REFUSED,
        OpKind::ThreadExit => class == DONE || class == VACANT,
    }
}

/// The state that an audit is shown.
#[derive(Debug, DescribedHere)]
pub struct View {
    /// The slots whose blocks the model wants to see.
    pub wanted: Vec<Slot>,
    /// The address of the first byte around or between the regions that changed, looked for everywhere.
    pub stray_byte: Option<u64>,
    /// How many blocks the allocator says are live.
    pub live_blocks: Option<u64>,
    /// The bytes of blocks that the program looked at.
    pub shown: Shown,
}

impl Default for View {
    fn default() -> Self {
        View {
            wanted: Vec::with_capacity(SLOTS.into()),
            stray_byte: None,
            live_blocks: None,
            shown: Shown::with_room(VIEW_BYTES),
        }
    }
}
