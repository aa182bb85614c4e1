//! The laws of temporary mappings and of the page tables round them. The first part is judged at each step, by what
//! programs and kernel code could see; the second part, the state laws, at the audit.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law =
    Law { name: "answer", sentence: "each op is answered in its own form; an op on an empty variable does nothing" };
/// The kernel's own accesses.
pub const KERNEL_FAULT: Law =
    Law { name: "kernel_fault", sentence: "no page fault happens on a path of the kernel itself" };
/// Slots are handed out once.
pub const SLOT: Law = Law {
    name: "slot",
    sentence: "a slot is handed out to one owner until it is freed, and none is handed out only when all are taken",
};
/// Misuse is refused, right use is not.
pub const REFUSAL: Law = Law {
    name: "refusal",
    sentence: "bad, unallocated, doubly freed, still mapped or already mapped slots, addresses beyond memory or off a page's \
               start, kernel addresses, pages in use, and directories in force are refused; nothing else is",
};
/// Running out.
pub const SHORTAGE: Law =
    Law { name: "shortage", sentence: "an op fails only when the free frames or slots do not suffice for it" };
/// The window's pages.
pub const TEMP: Law = Law {
    name: "temp",
    sentence: "a temporary mapping can be used at once, in kernel mode alone, wherever the contract says it is visible, and \
               nowhere after it is unmapped",
};
/// Accesses obey the page map.
pub const ACCESS: Law = Law {
    name: "access",
    sentence: "an access succeeds if the page is mapped with the rights for it, and faults with its address and code if not",
};
/// Bytes stay.
pub const BYTES: Law =
    Law { name: "bytes", sentence: "a frame's bytes are those written to it last, wherever it is mapped" };
/// Frames are handed out once.
pub const FRESH: Law =
    Law { name: "fresh", sentence: "a frame that is handed out lies in memory and belongs to nobody" };
/// Copy-on-write.
pub const COPY_ON_WRITE: Law = Law {
    name: "cow",
    sentence: "after a store to a shared page its entry names a new frame, or the old one for a last sharer, with the page's flags",
};
/// System calls move what they may.
pub const COUNT: Law = Law {
    name: "count",
    sentence: "sys_read and sys_write move the capped count if all of it lies in pages that the program may use so, up to the \
               first bad page else, and answer -1 for nothing and for ranges that leave the user half",
};
/// Physical addresses.
pub const PHYSICAL: Law = Law {
    name: "physical",
    sentence: "get_phys_addr gives the physical address behind a mapped page, frame 0 as well",
};

/// The page map.
pub const PAGE_MAP: Law = Law {
    name: "page_map",
    sentence: "each directory maps what was mapped in it, to that frame with those flags, and nothing else",
};
/// Reference counts.
pub const REFERENCES: Law = Law {
    name: "references",
    sentence: "a frame's reference count is the number of pages mapped to it and of variables that hold it",
};
/// Leaks.
pub const LEAK: Law = Law { name: "leak", sentence: "every frame in use has an owner" };
/// Slots and mappings.
pub const SLOT_TABLE: Law = Law {
    name: "slot_table",
    sentence: "slots are allocated and mapped exactly as was asked for; the kernel keeps none for itself between calls",
};
/// Stale translations.
pub const STALE: Law = Law {
    name: "stale",
    sentence: "no look-aside buffer keeps a frame, or a right, that the tables in force no longer give",
};
/// The register and the variable.
pub const IN_FORCE: Law = Law {
    name: "in_force",
    sentence: "CR3 and the kernel's variable name the directory that was switched to last on the processor",
};

/// Every law.
pub const ALL: &[Law] = &[
    ANSWER,
    KERNEL_FAULT,
    SLOT,
    REFUSAL,
    SHORTAGE,
    TEMP,
    ACCESS,
    BYTES,
    FRESH,
    COPY_ON_WRITE,
    COUNT,
    PHYSICAL,
    PAGE_MAP,
    REFERENCES,
    LEAK,
    SLOT_TABLE,
    STALE,
    IN_FORCE,
];
