//! The laws of an allocator whose `free` must find a pointer's owner. The first part is judged at each step, by what a
//! program could see; the second part, the state laws, at the audit. A fault outranks both.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law = Law::new("answer", "each op is answered in its own form");
/// When null is right.
pub const REFUSAL: Law = Law::new(
    "refusal",
    "a request is answered with null exactly when its kind cannot serve such a size and alignment, or has no room left",
)
.hint(
    "There is room for the block. Probably a sum of size, header and alignment wrapped around the end of the address \
     space.",
);
/// Alignment.
pub const ALIGNED: Law =
    Law::new("aligned", "a block's address is not null, and a multiple of the alignment asked for");
/// No overlap.
pub const DISJOINT: Law = Law::new("disjoint", "a block shares no byte with another live block or with a foreign page")
    .hint(
        "Two live blocks share bytes. Where a freed block was handed out again, look whether the free list holds the \
         start of the block or the start of the user's bytes: they are one header apart.",
    );
/// Bytes survive.
pub const CONTENTS: Law = Law::new(
    "contents",
    "bytes that a program put into a block or a foreign page stay until it frees, reallocates or unmaps them",
)
.hint(
    "Bytes that the program put there are gone. Probably the allocator, or the owner of another block, wrote over \
     them.",
);
/// What a reallocation keeps.
pub const REALLOC: Law = Law::new(
    "realloc",
    "a reallocation keeps the bytes up to the new size, of all that was asked for or granted before; a failed one \
     keeps the old block",
)
.hint(
    "Bytes that the program put there are gone. Probably the new block got no more than the size once asked for, \
     although the program was told that it may use more.",
);
/// Usable sizes.
pub const USABLE: Law =
    Law::new("usable", "the usable size is at least the size asked for, and all of it is the program's alone");
/// Valid frees.
pub const ROUTE: Law = Law::new(
    "route",
    "a free, a reallocation or a question about the size of a live block is answered by its one true owner, whatever \
     bytes lie in or around it",
);
/// Invalid frees.
pub const INVALID: Law = Law::new(
    "invalid",
    "a free, a reallocation or a question about the size of a pointer that is no live block's (interior, foreign, \
     stale) is refused and changes nothing",
);
/// Blocks from before the allocator was up.
pub const BOOT: Law = Law::new(
    "boot",
    "a block from before the allocator was up stays where it is: to free it does nothing, and its size is known",
)
.hint(
    "The block is of the static pool that serves before the allocator is up. Ask for that pool first, in every entry \
     point.",
);
/// errno.
pub const ERRNO: Law = Law::new("errno", "a call that succeeds leaves errno as it was").hint(
    "A call that the allocator made for its own purposes failed and left its error number behind. Save errno, or ask \
     nothing that can fail.",
);
/// Retiring SuperSlabs.
pub const RETIRE: Law = Law::new(
    "retire",
    "a SuperSlab is given back exactly when it is there, holds no live block, and the kernel takes it",
);
/// What threads leave behind.
pub const ORPHANS: Law = Law::new(
    "orphans",
    "what a thread leaves behind serves on: its live blocks stay, and room that others gave back is handed out again",
)
.hint(
    "A thread ended, and there is room that nobody hands out any more. Probably what other threads freed waits for the \
     dead one.",
);
/// Nothing is freed more often than allocated.
pub const BALANCE: Law =
    Law::new("balance", "for every owner, what was allocated less what was freed covers the live blocks")
        .hint("More was freed than allocated. Probably a free was counted twice, or for the wrong owner.");

/// Allocated minus freed is live.
pub const LEAK: Law = Law::new(
    "leak",
    "for every owner, what was allocated less what was freed is live, in memory as well as in the books",
);
/// Every SuperSlab is registered.
pub const REGISTERED: Law = Law::new("registered", "every mapped SuperSlab is in the registry, once").hint(
    "A SuperSlab is in use that the registry does not know: its blocks are nobody's when they are freed. Look at what \
     inserting does when the registry is full, or holds another.",
);

/// Nobody writes beside libc's blocks.
pub const BESIDE: Law = Law::new(
    "beside",
    "the bytes that libc keeps before and behind its blocks, those behind malloc-method blocks included, stay libc's",
)
.hint(
    "Something was written outside of a block of libc's. Look at how much is asked of libc for a block with a header.",
);

/// Every law.
pub const ALL: &[Law] = &[
    ANSWER, REFUSAL, ALIGNED, DISJOINT, CONTENTS, REALLOC, USABLE, ROUTE, INVALID, BOOT, ERRNO, RETIRE, ORPHANS,
    BALANCE, LEAK, REGISTERED, BESIDE,
];
