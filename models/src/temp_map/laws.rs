//! The laws of temporary mappings and of the page tables round them. The first part is judged at each step, by what
//! programs and kernel code could see; the second part, the state laws, at the audit.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law =
    Law::new("answer", "each op is answered in its own form; an op on an empty variable does nothing");
/// The kernel's own accesses.
pub const KERNEL_FAULT: Law = Law::new("kernel_fault", "no page fault happens on a path of the kernel itself").hint(
    "The kernel touched {place}, which is not mapped. Probably a program's pointer was used without looking at the \
     tables first.",
);
/// Slots are handed out once.
pub const SLOT: Law = Law::new(
    "slot",
    "a slot is handed out to one owner until it is freed, and none is handed out only when all are taken",
)
.hint("A slot has two owners, or none. The table of slots and what was asked for differ.");
/// Misuse is refused, right use is not.
pub const REFUSAL: Law = Law::new(
    "refusal",
    "bad, unallocated, doubly freed, still mapped or already mapped slots, addresses beyond memory or off a page's \
     start, kernel addresses, pages in use, and directories in force are refused; nothing else is",
);
/// Running out.
pub const SHORTAGE: Law = Law::new("shortage", "an op fails only when the free frames or slots do not suffice for it");
/// The window's pages.
pub const TEMP: Law = Law::new(
    "temp",
    "a temporary mapping can be used at once, in kernel mode alone, wherever the contract says it is visible, and \
     nowhere after it is unmapped",
);
/// Accesses obey the page map.
pub const ACCESS: Law = Law::new(
    "access",
    "an access succeeds if the page is mapped with the rights for it, and faults with its address and code if not",
)
.hint(
    "{place} can be used as its page must not be, or cannot be used as it must. Look at the flags that the entry was \
     given, when it was mapped, forked or copied.",
);
/// Bytes stay.
pub const BYTES: Law = Law::new("bytes", "a frame's bytes are those written to it last, wherever it is mapped").hint(
    "{place} shows what was never written there. Probably a stale translation, a wrong frame, or bytes of an earlier \
     owner.",
);
/// Frames are handed out once.
pub const FRESH: Law = Law::new("fresh", "a frame that is handed out lies in memory and belongs to nobody").hint(
    "The frame {place} was handed out although it is in use. Probably it was given back by an owner who no longer had \
     it.",
);
/// Copy-on-write.
pub const COPY_ON_WRITE: Law = Law::new(
    "cow",
    "after a store to a shared page its entry names a new frame, or the old one for a last sharer, with the page's \
     flags; no other page that shares a frame becomes writable",
);
/// System calls move what they may.
pub const COUNT: Law = Law::new(
    "count",
    "sys_read and sys_write move the capped count if all of it lies in pages that the program may use so, up to the \
     first bad page else, and answer -1 if they move nothing of it and for ranges that leave the user half; of no \
     bytes they answer 0 or -1",
)
.hint(
    "The call moved another number of bytes than lie in pages that the program may use so: at {place} it should have \
     stopped, or gone on. Look at the rights of each page, not of the first alone, and at the end of the range.",
);
/// Physical addresses.
pub const PHYSICAL: Law =
    Law::new("physical", "get_phys_addr gives the physical address behind a mapped page, frame 0 as well");

/// The page map.
pub const PAGE_MAP: Law = Law::new(
    "page_map",
    "each directory maps what was mapped in it, to that frame with those flags, and nothing else; bits 10 and 11 of \
     an entry are the kernel's own",
)
.hint("{place} is not mapped as was asked for: look at which frame and flags the entry was made of.");
/// Reference counts.
pub const REFERENCES: Law = Law::new(
    "references",
    "a frame's reference count is the number of pages mapped to it and of variables that hold it",
)
.hint("The frame {place} is counted wrong. Probably it was given back once too often, or not at all.");
/// Leaks.
pub const LEAK: Law = Law::new("leak", "every frame in use has an owner").hint(
    "A frame is in use that no directory, page or variable leads to: probably it was not given back with the last one \
     of them.",
);
/// Slots and mappings.
pub const SLOT_TABLE: Law = Law::new(
    "slot_table",
    "slots are allocated and mapped exactly as was asked for; the kernel keeps none for itself between calls",
)
.hint("A slot has two owners, or none. The table of slots and what was asked for differ.");
/// Stale translations.
pub const STALE: Law = Law::new(
    "stale",
    "no look-aside buffer keeps a frame, or a right, that the tables in force no longer give; a frame becomes free \
         only when none keeps it any more",
)
.hint(
    "A look-aside buffer still knows {place} as it was. Probably the entry was changed without invlpg on every \
         processor.",
);
/// The register and the variable.
pub const IN_FORCE: Law =
    Law::new("in_force", "CR3 and the kernel's variable name the directory that was switched to last on the processor");

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
