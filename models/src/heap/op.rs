//! The calls of a program on its allocator. Total: every op is legal in every setup; on an empty slot a program does
//! nothing.
//!
//! `malloc` to `memalign` are C's calls, `alloc` to `relayout` Rust's; a subject carries out those of the other
//! language by the calls that it has, so that a trace runs on any subject. Whenever the program gets a block it fills
//! it (see [`super::contents`]), and it looks at what it wrote before it frees the block and after a reallocation.
//!
//! Beside each op stand its forms. The tags are frozen with version 1 of the wire format.

use super::operands::{AnyAlignment, FreedBy, Order, SLOTS, Slot, fewer, less};
use super::setup::EDGES;
use crate::allocation::{Alignment, Size, counted, fewer_bytes, fewer_elements};
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::Arbitrary;
use memtwin_derive::{Kinds, Simpler, Wire, Words};
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The most bytes that a program writes to a block with one op.
    pub const MAX_WRITTEN_BYTES: u32 = 1 << 16;
    /// What an allocator may copy or write for one call, in bytes.
    pub const MOST_TOUCHED_BYTES: u64 = 8 << 20;
    /// Larger blocks are answered by nobody.
    pub const UNANSWERED_BYTES: u64 = 1 << 47;
    /// A heap with memory of its own may refuse a request above this, and any when more is live, in bytes.
    pub const REFUSABLE_BYTES: u64 = 1 << 30;
    /// Repeats of a cycle before anything is measured, while caches fill.
    pub const WARM_UP_REPEATS: u32 = 8;
    /// Repeats of a cycle that are measured.
    pub const MEASURED_REPEATS: u32 = 64;
}

/// Calls that make it copy or write more than this are made while live blocks come to at most
/// [`MOST_LIVE_TOUCHED_BYTES`]: as many blocks as there are slots come to that.
const FREELY_TOUCHED_BYTES: u64 = MOST_LIVE_TOUCHED_BYTES / SLOTS as u64;
const MOST_LIVE_TOUCHED_BYTES: u64 = 256 << 20;

/// Whether the program does not make a call, for which an allocator may have to copy or write so many bytes, while its
/// live blocks come to so many: the machine's memory is for more than one heap.
#[inline]
#[must_use]
pub(super) const fn touches_too_much(touched_bytes: u64, live_bytes: u64) -> bool {
    MOST_TOUCHED_BYTES < touched_bytes
        || FREELY_TOUCHED_BYTES < touched_bytes && MOST_LIVE_TOUCHED_BYTES < live_bytes.saturating_add(touched_bytes)
}

/// Whether the program does not ask a heap with memory of its own for a block of so many bytes, while its live blocks
/// come to so many: the heap may refuse it, and may touch more of what it grants than the program does.
#[inline]
#[must_use]
pub(super) const fn is_beyond_reason(size: u64, live_bytes: u64) -> bool {
    FREELY_TOUCHED_BYTES < size && size < UNANSWERED_BYTES && REFUSABLE_BYTES < live_bytes
}

/// The bytes that a heap with memory of its own may have to write for a block that holds zeros: none where nobody
/// answers.
#[inline]
#[must_use]
pub(super) const fn zeroed_bytes(size: u64) -> u64 {
    if size < UNANSWERED_BYTES { size } else { 0 }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Kinds, Wire, Simpler, Words, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[forms(edges = EDGES, free = 240, about(slot = Slot))]
#[allow(missing_docs)] // the fields are the parameters of the call that each variant names
pub enum Op {
    /// `malloc(size)` into a slot; a block that is there is freed first, as for every op that gets one.
    #[form(tag = 0, simpler(size), say("{slot} = malloc({size})"))]
    Malloc { slot: Slot, size: Size },
    /// `calloc(count, size)`; the program looks for a byte that is not zero.
    #[form(tag = 16, simpler(count, size), say("{slot} = calloc({count}, {size})"))]
    Calloc { slot: Slot, count: Size, size: Size },
    /// `posix_memalign(&slot, align, size)`.
    #[form(tag = 28, simpler(align, size), say("posix_memalign(&{slot}, {align}, {size})"))]
    PosixMemalign { slot: Slot, align: AnyAlignment, size: Size },
    /// `aligned_alloc(align, size)`.
    #[form(tag = 36, simpler(align, size), say("{slot} = aligned_alloc({}, {size})", Size(align.bytes())))]
    AlignedAlloc { slot: Slot, align: Alignment, size: Size },
    /// `memalign(align, size)`.
    #[form(tag = 44, simpler(align, size), say("{slot} = memalign({}, {size})", Size(align.bytes())))]
    Memalign { slot: Slot, align: Alignment, size: Size },
    /// `alloc` of a layout.
    #[form(tag = 52, wire(slot, align, size), simpler(align, size), say("{slot} = alloc({size}, {align})"))]
    Alloc { slot: Slot, size: Size, align: Alignment },
    /// `alloc_zeroed` of a layout; the program looks for a byte that is not zero.
    #[form(tag = 68, wire(slot, align, size), simpler(align, size), say("{slot} = alloc_zeroed({size}, {align})"))]
    AllocZeroed { slot: Slot, size: Size, align: Alignment },
    /// Rust's `grow`, `grow_zeroed` or `shrink` to a new layout, whichever it is by the size.
    #[form(tag = 76, low(zeroed), wire(slot, align, size), simpler(zeroed, align, size))]
    #[form(say("{slot} = {}({slot}, {size}, {align})", if *zeroed { "grow_zeroed" } else { "grow or shrink" }))]
    Relayout { slot: Slot, size: Size, align: Alignment, zeroed: bool },
    /// `realloc(block, size)`; C's and Rust's.
    #[form(tag = 88, simpler(size), say("{slot} = realloc({slot}, {size})"))]
    Realloc { slot: Slot, size: Size },
    /// `reallocarray(block, count, size)`.
    #[form(tag = 108, simpler(count, size), say("{slot} = reallocarray({slot}, {count}, {size})"))]
    Reallocarray { slot: Slot, count: Size, size: Size },
    /// `free(block)`, or Rust's `dealloc`.
    #[form(tag = 116, say("free({slot})"))]
    Free { slot: Slot },
    /// `free(NULL)`.
    #[form(tag = 140, say("free(NULL)"))]
    FreeNull,
    /// `malloc_usable_size(block)`: what it grants beyond the size asked for is the program's, which writes the end of
    /// it.
    #[form(tag = 144, say("usable_size({slot})"))]
    UsableSize { slot: Slot },
    /// The program writes the block's first bytes anew (no more than fit).
    #[form(tag = 152, simpler(length = fewer_bytes), say("write {} to {slot}", counted(*length, "byte")))]
    Write { slot: Slot, length: u32 },
    /// The program looks at what it wrote.
    #[form(tag = 164, say("look at {slot}"))]
    Verify { slot: Slot },
    /// `String::push_str` of `length` bytes: the slot's buffer grows as Rust's does.
    #[form(tag = 172, simpler(length = fewer_elements), say("{slot}.push_str({})", counted((*length).into(), "byte")))]
    PushString { slot: Slot, length: u8 },
    /// `Vec::extend` by `length` elements of eight bytes, likewise.
    #[form(tag = 180, simpler(length = fewer_elements), say("{slot}.extend({})", counted((*length).into(), "element")))]
    PushVec { slot: Slot, length: u8 },
    /// Blocks of one size into the empty ones of `count` slots, from this one on.
    #[form(tag = 188, simpler(count = fewer, size), say("fill {} from {slot} on with malloc({size})", counted((*count).into(), "slot")))]
    Fill { slot: Slot, count: u8, size: Size },
    /// Of the blocks in `count` slots from this one on, the first is freed, and each `every`-th after it.
    #[form(tag = 196, simpler(count = fewer, every = fewer))]
    #[form(say("free one block in {} of {} from {slot} on", (*every).max(1), counted((*count).into(), "slot")))]
    Drain { slot: Slot, count: u8, every: u8 },
    /// All blocks are freed.
    #[form(tag = 204, low(order), say("free all, {order}"))]
    FreeAll { order: Order },
    /// An arena's first region gets `bytes` bytes more.
    #[form(tag = 212, simpler(bytes = less), say("extend by {}", Size((*bytes).into())))]
    Extend { bytes: u32 },
    /// An arena gets its second region.
    #[form(tag = 216, say("add the second region"))]
    AddRegion,
    /// The largest size of this alignment that is answered with a block, found by bisection; each block is freed at
    /// once.
    #[form(tag = 220, say("the largest block of {align}"))]
    Largest { align: Alignment },
    /// The allocator gives back to the system what it does not need: `malloc_trim`, `mi_collect`.
    #[form(tag = 224, say("trim"))]
    Trim,
    /// So many blocks of one size are asked for and freed, again and again ([`WARM_UP_REPEATS`] + [`MEASURED_REPEATS`]
    /// times), and the program looks at how much memory the allocator holds.
    #[form(tag = 228, low(by), wire(count, size), simpler(by, count = fewer, size))]
    #[form(say("again and again: {} of malloc({size}), freed by {}", counted((*count).into(), "block"), by.words()))]
    Cycle { count: u8, size: Size, by: FreedBy },
    /// The thread begins, if it has not yet.
    #[form(tag = 232, say("the thread begins"))]
    ThreadStart,
    /// The thread ends; what it allocated lives on. The first thread stays.
    #[form(tag = 236, say("the thread ends"))]
    ThreadExit,
}

impl FreedBy {
    const fn words(self) -> &'static str {
        match self {
            FreedBy::Owner => "their thread",
            FreedBy::NewThread => "a new thread, which ends",
        }
    }
}

impl Op {
    /// The size in bytes of the block, or of each block, that the op asks for; `None` where a product overflows.
    #[must_use]
    pub fn asked_bytes(&self) -> Option<u64> {
        match self {
            Op::Malloc { size, .. }
            | Op::PosixMemalign { size, .. }
            | Op::AlignedAlloc { size, .. }
            | Op::Memalign { size, .. }
            | Op::Alloc { size, .. }
            | Op::AllocZeroed { size, .. }
            | Op::Relayout { size, .. }
            | Op::Realloc { size, .. }
            | Op::Fill { size, .. }
            | Op::Cycle { size, .. } => Some(size.0),
            Op::Calloc { count, size, .. } | Op::Reallocarray { count, size, .. } => count.0.checked_mul(size.0),
            Op::Free { .. }
            | Op::FreeNull
            | Op::UsableSize { .. }
            | Op::Write { .. }
            | Op::Verify { .. }
            | Op::PushString { .. }
            | Op::PushVec { .. }
            | Op::Drain { .. }
            | Op::FreeAll { .. }
            | Op::Extend { .. }
            | Op::AddRegion
            | Op::Largest { .. }
            | Op::Trim
            | Op::ThreadStart
            | Op::ThreadExit => None,
        }
    }

    /// The alignment in bytes that the op names.
    #[must_use]
    pub const fn asked_align(&self) -> Option<u64> {
        match self {
            Op::PosixMemalign { align, .. } => Some(align.0),
            Op::AlignedAlloc { align, .. }
            | Op::Memalign { align, .. }
            | Op::Alloc { align, .. }
            | Op::AllocZeroed { align, .. }
            | Op::Relayout { align, .. }
            | Op::Largest { align } => Some(align.bytes()),
            Op::Malloc { .. }
            | Op::Calloc { .. }
            | Op::Realloc { .. }
            | Op::Reallocarray { .. }
            | Op::Free { .. }
            | Op::FreeNull
            | Op::UsableSize { .. }
            | Op::Write { .. }
            | Op::Verify { .. }
            | Op::PushString { .. }
            | Op::PushVec { .. }
            | Op::Fill { .. }
            | Op::Drain { .. }
            | Op::FreeAll { .. }
            | Op::Extend { .. }
            | Op::AddRegion
            | Op::Trim
            | Op::Cycle { .. }
            | Op::ThreadStart
            | Op::ThreadExit => None,
        }
    }
}
