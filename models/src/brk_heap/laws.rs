//! The laws of a brk heap. The first part is judged at each step, by what a program could see; the second part, the state
//! laws, at the audit. A fault outranks both.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law = Law {
    name: "answer",
    sentence: "each op is answered in its own form, and skipped only where the contract says so",
};
/// The kernel's answers.
pub const BRK: Law = Law {
    name: "brk",
    sentence: "brk answers with the break: unchanged below its first value, rounded up when granted, and moved only if the frames suffice",
};
/// When null is right.
pub const REFUSAL: Law = Law {
    name: "refusal",
    sentence: "a request is answered with null exactly when it overflows the address space or the kernel refuses it memory",
};
/// Where blocks lie.
pub const INSIDE: Law = Law {
    name: "inside",
    sentence: "a block lies between the heap's start and its end, never below, never in the stack",
};
/// Alignment.
pub const ALIGNED: Law =
    Law { name: "aligned", sentence: "a block's address is a multiple of the alignment asked for" };
/// No overlap.
pub const DISJOINT: Law = Law { name: "disjoint", sentence: "a block shares no byte with another live block" };
/// Zeroed blocks.
pub const ZEROED: Law = Law { name: "zeroed", sentence: "a block that was asked for zeroed holds zeros alone" };
/// Bytes survive.
pub const CONTENTS: Law = Law {
    name: "contents",
    sentence: "the bytes that a program put into a block stay until it frees or reallocates the block",
};
/// What a reallocation keeps.
pub const REALLOC: Law = Law {
    name: "realloc",
    sentence: "a reallocation keeps the bytes up to the smaller of both sizes; a failed one keeps the old block",
};
/// Nothing is written beyond blocks.
pub const REDZONE: Law =
    Law { name: "redzone", sentence: "the allocator writes no byte outside of the block that it hands out" };

/// The words in .bss.
pub const WORDS: Law =
    Law { name: "words", sentence: "the allocator's words in .bss change through the allocator alone" };
/// Registers survive the gate.
pub const REGISTERS: Law =
    Law { name: "registers", sentence: "a system call changes x0 and no other register of the program" };
/// The order of the heap's borders.
pub const ORDER: Law =
    Law { name: "order", sentence: "the heap's start, the head, the end and the break come in this order" };
/// No break over unmapped pages.
pub const MAPPED: Law = Law { name: "mapped", sentence: "every page between the heap's start and the break is mapped" };
/// Mapped minus unmapped is live.
pub const LEAK: Law =
    Law { name: "leak", sentence: "pages mapped for blocks, less those unmapped, are those of live blocks" };

/// Every law.
pub const ALL: &[Law] = &[
    ANSWER, BRK, REFUSAL, INSIDE, ALIGNED, DISJOINT, ZEROED, CONTENTS, REALLOC, REDZONE, WORDS, REGISTERS, ORDER,
    MAPPED, LEAK,
];
