//! The laws of an allocator whose `free` must find a pointer's owner. The first part is judged at each step, by what a
//! program could see; the second part, the state laws, at the audit. A fault outranks both.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law = Law { name: "answer", sentence: "each op is answered in its own form" };
/// When null is right.
pub const REFUSAL: Law = Law {
    name: "refusal",
    sentence: "a request is answered with null exactly when its kind cannot serve such a size and alignment, or has no room left",
};
/// Alignment.
pub const ALIGNED: Law =
    Law { name: "aligned", sentence: "a block's address is not null, and a multiple of the alignment asked for" };
/// No overlap.
pub const DISJOINT: Law =
    Law { name: "disjoint", sentence: "a block shares no byte with another live block or with a foreign page" };
/// Bytes survive.
pub const CONTENTS: Law = Law {
    name: "contents",
    sentence: "bytes that a program put into a block or a foreign page stay until it frees, reallocates or unmaps them",
};
/// What a reallocation keeps.
pub const REALLOC: Law = Law {
    name: "realloc",
    sentence: "a reallocation keeps the bytes up to the smaller of both sizes; a failed one keeps the old block",
};
/// Usable sizes.
pub const USABLE: Law = Law {
    name: "usable",
    sentence: "the usable size is at least the size asked for, and all of it is the program's alone",
};
/// Valid frees.
pub const ROUTE: Law = Law {
    name: "route",
    sentence: "a free of a live block takes the route of its one true owner, whatever bytes lie in or around it",
};
/// Invalid frees.
pub const INVALID: Law = Law {
    name: "invalid",
    sentence: "a free of a pointer that is no live block's (interior, foreign, stale) is refused and changes nothing",
};
/// errno.
pub const ERRNO: Law = Law { name: "errno", sentence: "a successful free leaves errno as it was" };
/// Retiring SuperSlabs.
pub const RETIRE: Law =
    Law { name: "retire", sentence: "a SuperSlab is given back exactly when it is there and holds no live block" };
/// Nothing is freed more often than allocated.
pub const BALANCE: Law =
    Law { name: "balance", sentence: "for every owner, what was allocated less what was freed covers the live blocks" };

/// Allocated minus freed is live.
pub const LEAK: Law = Law {
    name: "leak",
    sentence: "for every owner, what was allocated less what was freed is live, in memory as well as in the books",
};
/// Every SuperSlab is registered.
pub const REGISTERED: Law = Law { name: "registered", sentence: "every mapped SuperSlab is in the registry, once" };

/// Every law.
pub const ALL: &[Law] = &[
    ANSWER, REFUSAL, ALIGNED, DISJOINT, CONTENTS, REALLOC, USABLE, ROUTE, INVALID, ERRNO, RETIRE, BALANCE, LEAK,
    REGISTERED,
];
