//! The calls of a program that uses the allocator beside libc, and what happens around it. Total: every op is legal in
//! every state; where a slot does not hold what the op needs, the program does nothing.

use crate::allocation::Alignment;
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::{Arbitrary, Unstructured};
use memtwin_derive::Kinds;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The number of variables of the program that hold a pointer.
    pub const SLOTS: u8 = 64;
    /// The number of logical threads. Slot `n` is allocated by thread `n % THREADS`.
    pub const THREADS: u8 = 4;
    /// The most bytes of a block that a program writes or shows in one op: any block whole.
    pub const MAX_SHOWN_BYTES: u32 = 1 << 16;
    /// The most bytes that a program writes at a block's end in one op.
    pub const MAX_END_BYTES: u32 = 64;
}

/// A variable of the program that holds a pointer, or null: below [`SLOTS`]. After a free it keeps the stale pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u8", into = "u8")]
pub struct Slot(u8);

/// A logical thread: below [`THREADS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u8", into = "u8")]
pub struct Thread(u8);

/// The allocator's kinds of blocks. The last three share one route, the raw dispatch on the header's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In a SuperSlab, without a header.
    Tiny,
    /// Found by the mid registry.
    Mid,
    /// Found by the L25 registry.
    L25,
    /// A mapping of its own.
    Mmap,
    /// From the cache of big blocks.
    BigCache,
    /// From libc, with a header before it.
    Malloc,
}

/// One side of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The page of the byte before its first.
    Before,
    /// The page of the byte after its last.
    After,
}

/// A protection of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// PROT_NONE.
    None,
    /// PROT_READ.
    Read,
    /// PROT_READ and PROT_WRITE.
    ReadWrite,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Kinds, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[forms(about(slot = Slot))]
#[allow(missing_docs)] // the fields are the parameters of the call that each variant names
pub enum Op {
    /// Allocates a block of this kind into a slot that holds none.
    Alloc {
        slot: Slot,
        kind: Kind,
        #[serde(with = "crate::hex")]
        size: u64,
        align: Alignment,
    },
    /// `realloc(slot + delta, size)`; the program looks at the bytes that were to be kept. A freed slot holds its stale
    /// pointer. What comes back goes to where the program has the block. Nothing is done with null.
    Realloc {
        slot: Slot,
        #[serde(with = "crate::hex")]
        size: u64,
        #[serde(with = "crate::hex", default, skip_serializing_if = "is_zero")]
        delta: u64,
    },
    /// `malloc_usable_size(slot + delta)`; from here on the program uses all of it. Nothing is done with null.
    UsableSize {
        slot: Slot,
        #[serde(with = "crate::hex", default, skip_serializing_if = "is_zero")]
        delta: u64,
    },
    /// The program copies `length` bytes of the pattern `seed` to the beginning of what the slot holds (no more than
    /// fit).
    Write { slot: Slot, seed: u16, length: u32 },
    /// The program looks at the bytes that it has put there.
    Verify { slot: Slot },
    /// `free(slot + delta)` by this thread. An empty slot holds null; a freed one its stale pointer.
    Free {
        slot: Slot,
        #[serde(with = "crate::hex")]
        delta: u64,
        #[serde(default, skip_serializing_if = "Thread::is_first")]
        thread: Thread,
    },
    /// libc itself allocates, and the program gets the pointer (`strdup`, `getline`).
    LibcAlloc {
        slot: Slot,
        #[serde(with = "crate::hex")]
        size: u64,
        align: Alignment,
    },
    /// Somebody maps a page of their own: directly before the page of what `beside` holds if nothing is there, else
    /// somewhere alone. A foreign page that the slot held is unmapped first.
    MapForeign { slot: Slot, beside: Slot },
    /// The foreign page on this side of what the slot holds gets another protection.
    ProtectNeighbour { slot: Slot, side: Side, protection: Protection },
    /// The foreign page on this side of what the slot holds is unmapped.
    UnmapNeighbour { slot: Slot, side: Side },
    /// The program writes bytes that look like a header, for a pointer at `offset` + 32, as far as they fit.
    Forge { slot: Slot, offset: u32, method: Kind },
    /// Asks the allocator to give back the SuperSlab that the slot's pointer, fresh or stale, lies in.
    RetireSuperslab { slot: Slot },
    /// Asks the allocator for its books.
    Stats,
    /// A block from before the allocator is up (as `dlsym` asks for one): from a static pool. Nothing is done once the
    /// allocator was asked for a block.
    BootAlloc {
        slot: Slot,
        #[serde(with = "crate::hex")]
        size: u64,
    },
    /// A thread ends. If its number comes again, it is another thread's.
    ThreadExit { thread: Thread },
    /// The program copies `length` bytes of the pattern `seed`, at most [`MAX_END_BYTES`], to the end of what it may
    /// use of a block (no more than fit).
    WriteEnd { slot: Slot, seed: u16, length: u32 },
}

impl Op {
    /// Whether version 1 of the wire format does not know the op.
    #[inline]
    #[must_use]
    pub const fn is_later(&self) -> bool {
        match self {
            Op::Realloc { delta, .. } | Op::UsableSize { delta, .. } => *delta != 0,
            Op::BootAlloc { .. } | Op::ThreadExit { .. } | Op::WriteEnd { .. } => true,
            Op::Alloc { .. }
            | Op::Write { .. }
            | Op::Verify { .. }
            | Op::Free { .. }
            | Op::LibcAlloc { .. }
            | Op::MapForeign { .. }
            | Op::ProtectNeighbour { .. }
            | Op::UnmapNeighbour { .. }
            | Op::Forge { .. }
            | Op::RetireSuperslab { .. }
            | Op::Stats => false,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks so
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [Kind::Tiny, Kind::Mid, Kind::L25, Kind::Mmap, Kind::BigCache, Kind::Malloc];

    /// The largest block in bytes (chosen, save for tiny blocks).
    #[must_use]
    pub const fn limit_bytes(self) -> u64 {
        match self {
            Kind::Tiny => 1024,
            Kind::Mid | Kind::Malloc => 8192,
            Kind::L25 | Kind::BigCache => 0xc000,
            Kind::Mmap => 0xe000,
        }
    }

    /// The name, as in traces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Tiny => "tiny",
            Kind::Mid => "mid",
            Kind::L25 => "l25",
            Kind::Mmap => "mmap",
            Kind::BigCache => "big_cache",
            Kind::Malloc => "malloc",
        }
    }
}

impl Slot {
    /// A slot, folded into the number of slots.
    #[inline]
    #[must_use]
    pub const fn new_folded(index: u8) -> Self {
        Slot(index % SLOTS)
    }

    /// The index, below [`SLOTS`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The thread that allocates into the slot.
    #[inline]
    #[must_use]
    pub const fn thread(self) -> Thread {
        Thread::new_folded(self.0)
    }
}

impl Thread {
    /// A thread, folded into the number of threads.
    #[inline]
    #[must_use]
    pub const fn new_folded(index: u8) -> Self {
        Thread(index % THREADS)
    }

    /// The index, below [`THREADS`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }

    fn is_first(&self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u8> for Slot {
    type Error = &'static str;
    fn try_from(index: u8) -> Result<Self, Self::Error> {
        if index < SLOTS { Ok(Slot(index)) } else { Err("a slot is below 64") }
    }
}

impl From<Slot> for u8 {
    fn from(slot: Slot) -> u8 {
        slot.0
    }
}

impl TryFrom<u8> for Thread {
    type Error = &'static str;
    fn try_from(index: u8) -> Result<Self, Self::Error> {
        if index < THREADS { Ok(Thread(index)) } else { Err("a thread is below 4") }
    }
}

impl From<Thread> for u8 {
    fn from(thread: Thread) -> u8 {
        thread.0
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Slot {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.int_in_range(0..=SLOTS - 1).map(Slot)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Thread {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.int_in_range(0..=THREADS - 1).map(Thread)
    }
}
