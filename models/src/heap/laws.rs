//! The laws of a heap: what a program may rely on when it calls malloc and free, Rust's `GlobalAlloc`, or an arena. A
//! fault outranks all of them.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law =
    Law::new("answer", "each op is answered in its own form, and skipped only where the contract says so")
        .hint("The call answered in a way that its interface does not have.");
/// When null is right.
pub const REFUSAL: Law = Law::new(
    "refusal",
    "null is answered to a request that overflows or exceeds PTRDIFF_MAX, and to no other for which there is room: in \
     an arena a gap between live blocks that holds it with the overhead that the contract states, in the system \
     memory that it has not refused before",
)
.hint("Probably a size was computed with an overflow, or memory that was freed is not found again.");
/// Error numbers.
pub const ERRNO: Law = Law::new(
    "errno",
    "a refused malloc, calloc, realloc, reallocarray or aligned request sets errno to ENOMEM, and free leaves errno \
     alone",
)
.hint("Probably a system call inside the allocator changed errno, or a path of refusal returns without setting it.");
/// What `posix_memalign` checks.
pub const INVALID: Law = Law::new(
    "invalid",
    "posix_memalign answers EINVAL exactly to an alignment that is no power of two times the size of a pointer",
)
.hint("Probably the alignment is not checked, or checked against another bound.");
/// Alignment.
pub const ALIGNED: Law = Law::new(
    "aligned",
    "a block is aligned as asked for; without an alignment, to the largest power of two not above its size, up to 16",
)
.hint("The block at {place} is not aligned: probably a fast path for small sizes does not look at the alignment.");
/// Within the regions.
pub const INSIDE: Law = Law::new(
    "inside",
    "a block ends before the address space does, and one of an arena lies within one of its regions",
)
.hint("Probably the end of a region is computed wrong.");
/// No overlap.
pub const DISJOINT: Law =
    Law::new("disjoint", "a block shares no byte with another live block, up to the size that each was told to have")
        .hint("Two live blocks share bytes: probably one grew over its neighbour, or memory was given out twice.");
/// Zeroed blocks.
pub const ZEROED: Law = Law::new(
    "zeroed",
    "a block that was asked for zeroed holds zeros alone; one that grows zeroed holds zeros beyond what was kept",
)
.hint("Probably memory that was used before was taken for fresh, or less was cleared than was asked for.");
/// Bytes survive.
pub const CONTENTS: Law =
    Law::new("contents", "the bytes that the program wrote into a block stay until it frees or reallocates the block")
        .hint(
            "Bytes that the program wrote are gone: probably the allocator keeps books in a live block, or another \
             block lies over it.",
        );
/// What a reallocation keeps.
pub const KEPT: Law = Law::new(
    "kept",
    "a reallocation keeps the bytes up to the smaller of the new size and the old one, which in C is what \
     malloc_usable_size told if the program asked, and in Rust what the layout says; a refused one keeps the block",
)
.hint("Probably too few bytes were copied, or the wrong ones.");
/// Usable sizes.
pub const USABLE: Law =
    Law::new("usable", "malloc_usable_size answers at least the size asked for, and all of it is the program's")
        .hint("Probably the usable size is counted from another place than the block's begin, or without its header.");
/// Nothing is written outside.
pub const REDZONE: Law = Law::new("redzone", "no byte outside of the regions that an arena was given changes")
    .hint("Probably a header or a node of a free list was written beyond the end of a region.");
/// Nothing is read outside.
pub const OVER_READ: Law = Law::new(
    "over_read",
    "behind the bytes that a reallocation keeps lie none of another live block that lay behind the old place",
)
.hint("Bytes of a neighbour were copied along: probably the new size was copied and not the smaller one.");
/// Freed memory comes back.
pub const LEAK: Law = Law::new(
    "leak",
    "when nothing is live, the largest block that can be had is no smaller than the first time that nothing was live \
     again",
)
.hint("Memory that was freed does not come back: probably a part of some blocks, such as padding, is not given back.");
/// Memory does not grow.
pub const BOUNDED: Law = Law::new(
    "bounded",
    "while the same calls are repeated and everything is freed, what the allocator holds does not go on growing",
)
.hint("Probably what was freed is not used again, or a table of the allocator only grows.");
/// The books.
pub const BOOKS: Law =
    Law::new("books", "the number of blocks that an allocator says are live is the number of live blocks")
        .hint("Probably one kind of call does not keep the count.");

/// Every law.
pub const ALL: &[Law] = &[
    ANSWER, REFUSAL, ERRNO, INVALID, ALIGNED, INSIDE, DISJOINT, ZEROED, CONTENTS, KEPT, USABLE, REDZONE, OVER_READ,
    LEAK, BOUNDED, BOOKS,
];
