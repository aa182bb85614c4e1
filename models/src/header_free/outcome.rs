//! What a program could see of a call, and the state that an audit is shown.

use super::op::{Kind, MAX_SHOWN_BYTES, OpKind};
use crate::vocabulary::DescribedHere;
use crate::{Effect, OutcomeClass};

/// Where a `free` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Route {
    /// The owner of this kind took its block back; the last three kinds by the raw dispatch on the header's method.
    Owner(Kind),
    /// libc took its block back.
    Libc,
    /// libc was given the pointer and did not know it: the real one aborts the program.
    LibcRefused,
    /// The fallback for pointers that are taken for unmapped: a path that ignores what it does not know.
    Fallback,
    /// The allocator refused.
    Refused,
    /// Nothing to free: the pointer is null.
    Nothing,
}

/// The answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Seen {
    /// A block at this address: allocations and reallocations; for a foreign mapping its page.
    Block(u64),
    /// No memory.
    Null,
    /// It is done.
    Done,
    /// The slot does not hold what the op needs, so the program did nothing.
    Idle,
    /// The usable size.
    Usable(u64),
    /// A free ended here.
    Freed(Route),
    /// The allocator keeps its SuperSlab, or has none there.
    Kept,
}

/// One owner's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, DescribedHere)]
pub struct Balance {
    /// Blocks that were allocated.
    pub allocated: u64,
    /// Blocks that were freed.
    pub freed: u64,
}

impl Balance {
    /// Blocks that live by the books.
    #[inline]
    #[must_use]
    pub const fn live(&self) -> u64 {
        self.allocated.wrapping_sub(self.freed)
    }
}

/// The outcome of one call.
#[derive(Debug, DescribedHere)]
pub struct Outcome {
    /// The answer.
    pub result: Seen,
    /// Whether errno is as it was before the call.
    pub errno_kept: bool,
    /// The books, after `stats`, in the order of [`Kind::ALL`].
    pub books: [Balance; 6],
    /// How many bytes of the block the program looked at.
    pub shown_bytes: u32,
    buffer: Box<[u8]>,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome {
            result: Seen::Idle,
            errno_kept: true,
            books: [Balance::default(); 6],
            shown_bytes: 0,
            buffer: vec![0; MAX_SHOWN_BYTES as usize].into(),
        }
    }
}

impl Outcome {
    /// Where a program puts the first `length` bytes of a block.
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
        self.result = Seen::Kept;
        self.errno_kept = true;
        self.shown_bytes = 0;
    }
}

pub(super) const CLASSES: &[OutcomeClass] = &[
    OutcomeClass { name: "done", effect: Effect::Success },
    OutcomeClass { name: "null", effect: Effect::Failure },
    OutcomeClass { name: "idle", effect: Effect::Failure },
    OutcomeClass { name: "kept", effect: Effect::Failure },
    OutcomeClass { name: "tiny", effect: Effect::Success },
    OutcomeClass { name: "mid", effect: Effect::Success },
    OutcomeClass { name: "l25", effect: Effect::Success },
    OutcomeClass { name: "raw_mmap", effect: Effect::Success },
    OutcomeClass { name: "raw_big_cache", effect: Effect::Success },
    OutcomeClass { name: "raw_malloc", effect: Effect::Success },
    OutcomeClass { name: "libc", effect: Effect::Success },
    OutcomeClass { name: "libc_refused", effect: Effect::Failure },
    OutcomeClass { name: "fallback", effect: Effect::Failure },
    OutcomeClass { name: "refused", effect: Effect::Failure },
];

const DONE: usize = 0;
const NULL: usize = 1;
const IDLE: usize = 2;
const KEPT: usize = 3;
const FIRST_OWNER: usize = 4;
const LIBC: usize = 10;
const LIBC_REFUSED: usize = 11;
const FALLBACK: usize = 12;
const REFUSED: usize = 13;

impl Seen {
    /// The index of the class in the component's outcome classes.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> usize {
        match self {
            Seen::Block(_) | Seen::Done | Seen::Usable(_) | Seen::Freed(Route::Nothing) => DONE,
            Seen::Null => NULL,
            Seen::Idle => IDLE,
            Seen::Kept => KEPT,
            Seen::Freed(Route::Owner(kind)) => FIRST_OWNER + *kind as usize,
            Seen::Freed(Route::Libc) => LIBC,
            Seen::Freed(Route::LibcRefused) => LIBC_REFUSED,
            Seen::Freed(Route::Fallback) => FALLBACK,
            Seen::Freed(Route::Refused) => REFUSED,
        }
    }
}

/// Which classes can be seen for this kind of op, over all setups.
pub(super) const fn permits(kind: OpKind, class: usize) -> bool {
    match kind {
        OpKind::Alloc | OpKind::LibcAlloc | OpKind::Realloc => class == DONE || class == NULL || class == IDLE,
        OpKind::MapForeign
        | OpKind::UsableSize
        | OpKind::Write
        | OpKind::Verify
        | OpKind::ProtectNeighbour
        | OpKind::UnmapNeighbour
        | OpKind::Forge => class == DONE || class == IDLE,
        OpKind::Free => class == DONE || FIRST_OWNER <= class && class != FALLBACK,
        OpKind::RetireSuperslab => class == DONE || class == KEPT || class == IDLE,
        OpKind::Stats => class == DONE,
    }
}

/// The state that an audit is shown. What a subject cannot show it leaves as it is.
#[derive(Debug, Default, DescribedHere)]
pub struct View {
    /// The slots whose bytes the model wants to see, with how many: what the program has put there.
    pub wanted: Vec<(u8, u32)>,
    /// Those bytes, one after the other.
    pub bytes: Vec<u8>,
    /// The books, in the order of [`Kind::ALL`].
    pub books: Option<[Balance; 6]>,
    /// Blocks that libc holds, for the program and for malloc-method blocks.
    pub libc_blocks: Option<u64>,
    /// Mappings that the kernel holds for mmap blocks.
    pub mappings: Option<u64>,
    /// SuperSlabs that are mapped, and SuperSlabs in the registry.
    pub superslabs: Option<(u64, u64)>,
}
