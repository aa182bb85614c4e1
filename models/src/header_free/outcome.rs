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
    /// Nothing to do: the block is of the static pool from before the allocator was up.
    Boot,
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
    /// A reallocation or a question about a size was refused, by the allocator or by libc.
    Refused,
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
    /// Whether the kernel refused a `munmap` in this call.
    pub munmap_failed: bool,
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
            munmap_failed: false,
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
        self.munmap_failed = false;
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
    OutcomeClass { name: "boot", effect: Effect::Success },
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
const BOOT: usize = 14;

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
            Seen::Freed(Route::Refused) | Seen::Refused => REFUSED,
            Seen::Freed(Route::Boot) => BOOT,
        }
    }
}

/// Which classes can be seen for this kind of op, over all setups.
pub(super) const fn permits(kind: OpKind, class: usize) -> bool {
    match kind {
        OpKind::Alloc | OpKind::LibcAlloc | OpKind::BootAlloc => class == DONE || class == NULL || class == IDLE,
        OpKind::Realloc => class == DONE || class == NULL || class == IDLE || class == REFUSED,
        OpKind::UsableSize => class == DONE || class == IDLE || class == REFUSED,
        OpKind::MapForeign
        | OpKind::Write
        | OpKind::WriteEnd
        | OpKind::Verify
        | OpKind::ProtectNeighbour
        | OpKind::UnmapNeighbour
        | OpKind::Forge => class == DONE || class == IDLE,
        OpKind::Free => class == DONE || FIRST_OWNER <= class && class != FALLBACK,
        OpKind::RetireSuperslab => class == DONE || class == KEPT || class == IDLE,
        OpKind::Stats | OpKind::ThreadExit => class == DONE,
    }
}

/// Some bytes of what a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct Window {
    /// The slot.
    pub slot: u8,
    /// The first byte.
    pub offset: u32,
    /// How many.
    pub length: u32,
}

/// The state that an audit is shown. What a subject cannot show it leaves as it is.
#[derive(Debug, Default, DescribedHere)]
pub struct View {
    /// The bytes that the model wants to see: what the program has put there, at the start and at the end of blocks.
    pub wanted: Vec<Window>,
    /// Those bytes, one after the other.
    pub bytes: Vec<u8>,
    /// The books, in the order of [`Kind::ALL`].
    pub books: Option<[Balance; 6]>,
    /// Blocks that libc holds, for the program and for malloc-method blocks.
    pub libc_blocks: Option<u64>,
    /// The address of a byte that libc keeps before or behind its blocks and that somebody else wrote, if there is one.
    pub libc_damage: Option<u64>,
    /// Mappings that the kernel holds for mmap blocks.
    pub mappings: Option<u64>,
    /// SuperSlabs that are mapped, and SuperSlabs in the registry.
    pub superslabs: Option<(u64, u64)>,
}
