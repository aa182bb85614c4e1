//! The laws of a brk heap. The first part is judged at each step, by what a program could see; the second part, the
//! state laws, at the audit. A fault outranks both.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law =
    Law::new("answer", "each op is answered in its own form, and skipped only where the contract says so");
/// The kernel's answers.
pub const BRK: Law = Law::new(
    "brk",
    "brk answers with the break: unchanged below its first value, rounded up when granted, and moved only if the \
     frames suffice",
)
.hint("The kernel answered other than its books allow: look at how brk rounds and limits its argument.");
/// When null is right.
pub const REFUSAL: Law = Law::new(
    "refusal",
    "a request is answered with null exactly when it overflows the address space or the kernel refuses it memory",
)
.hint(
    "Probably a sum of address, size and alignment wrapped around the end of the address space, or the heap asked the \
     kernel for less than it needs, or null is right here and was not answered.",
);
/// Where blocks lie.
pub const INSIDE: Law =
    Law::new("inside", "a block lies between the heap's start and its end, never below, never in the stack").hint(
        "A block was handed out of what the allocator never had: look at whether the answer of brk is checked, and at \
         the sum of head and size.",
    );
/// Alignment.
pub const ALIGNED: Law = Law::new("aligned", "a block's address is a multiple of the alignment asked for").hint(
    "The head was not rounded up to the alignment asked for, or with a wrong mask: look at what the mask is made of, \
     and at where the compiler keeps it over system calls.",
);
/// No overlap.
pub const DISJOINT: Law = Law::new("disjoint", "a block shares no byte with another live block").hint(
    "Two live blocks share bytes: the head was not advanced over all of the older one, or a block grew in place over \
     its neighbour.",
);
/// Zeroed blocks.
pub const ZEROED: Law = Law::new("zeroed", "a block that was asked for zeroed holds zeros alone")
    .hint("Probably pages were taken for fresh that were not: the break fell and rose again over used ones.");
/// Bytes survive.
pub const CONTENTS: Law =
    Law::new("contents", "the bytes that a program put into a block stay until it frees or reallocates the block")
        .hint(
            "Bytes that the program put there are gone. Probably another block, or a copy that is too short or too \
             long, wrote over them.",
        );
/// What a reallocation keeps.
pub const REALLOC: Law = Law::new(
    "realloc",
    "a reallocation keeps the bytes up to the smaller of both sizes; a failed one keeps the old block",
)
.hint(
    "Bytes that the program put there are gone. Probably another block, or a copy that is too short or too long, \
     wrote over them.",
);
/// Other users of brk.
pub const NEIGHBOUR: Law = Law::new(
    "neighbour",
    "what another user of brk got stays his until he gives it back: no block lies there, and its bytes are his",
)
.hint(
    "The heap took {place} for its own, which another user of brk got. Probably it takes all below the break for its \
     own: ask where the break is before it is moved.",
);
/// Fresh pages.
pub const FRESH: Law = Law::new(
    "fresh",
    "a page that is mapped anew holds zeros, unless the setup says that it still holds what it held before",
)
.hint("The page at {place} was mapped anew and is not clean: whoever had it before can be read.");
/// Nothing is written beyond blocks.
pub const REDZONE: Law = Law::new("redzone", "the allocator writes no byte outside of the block that it hands out")
    .hint("Bytes beyond the block were written during the call. Probably a copy is longer than the new block.");

/// The words in .bss.
pub const WORDS: Law = Law::new("words", "the allocator's words in .bss change through the allocator alone")
    .hint("The allocator's words changed between two of its calls. Probably a stray write hit them.");
/// Registers survive the gate.
pub const REGISTERS: Law = Law::new("registers", "a system call changes x0 and no other register of the program");
/// The order of the heap's borders.
pub const ORDER: Law = Law::new("order", "the heap's start, the head, the end and the break come in this order").hint(
    "The allocator's own words are out of order, and nobody else changed them: it computed them wrong, mostly from an \
     answer of the kernel that it did not check.",
);
/// No break over unmapped pages.
pub const MAPPED: Law = Law::new("mapped", "every page between the heap's start and the break is mapped")
    .hint("The break moved and the page was not mapped, so the first access there will fault.");
/// Nothing above the break.
pub const UNMAPPED: Law = Law::new(
    "unmapped",
    "between the break and the stack no page is mapped but those of mappings, and those that the loader mapped",
)
.hint("The page at {place} lies above the break and is mapped: when the break fell, not all above it was unmapped.");
/// Mapped minus unmapped is live.
pub const LEAK: Law = Law::new("leak", "pages mapped for blocks, less those unmapped, are those of live blocks")
    .hint("Pages that were mapped for blocks are still mapped although the blocks are freed.");

/// Every law.
pub const ALL: &[Law] = &[
    ANSWER, BRK, REFUSAL, INSIDE, ALIGNED, DISJOINT, ZEROED, CONTENTS, REALLOC, NEIGHBOUR, FRESH, REDZONE, WORDS,
    REGISTERS, ORDER, MAPPED, UNMAPPED, LEAK,
];
