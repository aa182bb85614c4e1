//! The laws of page walks, reads, region lists and buffers. The first part is judged at each step, by what a caller
//! could see; the second part, the state laws, at the audit. A fault outranks both.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law =
    Law::new("answer", "each op is answered in its own form, and skipped only where the contract says so");
/// The table buffer.
pub const TABLES: Law = Law::new(
    "tables",
    "an entry reads as it was last written, and what nothing fixes of it as it was last seen; outside of the buffer \
     entries read as 0 and writes are dropped",
);
/// Mapping.
pub const MAP: Law = Law::new(
    "map",
    "a mapping is refused exactly when it is misaligned, out of range, too long, or its tables have no room",
)
.hint("A mapping was accepted or refused wrongly: low bits of a physical address must never become flags of an entry.");
/// Which pages are present, and where they lead.
pub const WALK: Law =
    Law::new("walk", "a walk gives the pages that the processor's walk of four levels gives, in ascending order").hint(
        "The pages are not the processor's: look at PS and the reserved bits of large leaves, and at the mask of the \
         root.",
    );
/// What may be done with a page.
pub const ACCESS: Law = Law::new(
    "access",
    "writable is the AND of RW over all levels, user the AND of US, executable is no NX at any level, and \
     copy-on-write is bit 9 without RW",
)
.hint(
    "The pages are right and what may be done with them is not: look at the AND of RW and of US over all levels, at NX \
     at any level, and at bit 9 alone with RW clear for copy-on-write.",
);
/// Bounded work.
pub const WORK: Law = Law::new(
    "work",
    "a walk of more leaves or table visits than the setup bounds (2^20 and 2^16, or 2^12 and 2^10), and a read of \
     more than 2^20 bytes, ends with TooMuchWork, and nothing else does",
)
.hint("The bound of walks or reads is not where the contract has it.");
/// Ranges.
pub const RANGE: Law =
    Law::new("range", "a range must be canonical and end by 2^64; a range of no bytes is always fine and empty").hint(
        "The range was not judged as it must be. Look at canonical addresses, at ends at and beyond 2^64, and at \
         ranges of no bytes.",
    );
/// Reads.
pub const READ: Law =
    Law::new("read", "a read gives all bytes of its range, translated one by one, or none and an error").hint(
        "Bytes were given that are not there, or not given although they are: look at gaps in the middle, and at \
         which backings a read knows.",
    );
/// Reads for user mode.
pub const PRIVILEGE: Law = Law::new(
    "privilege",
    "a read for user mode succeeds where a read does and all its pages are user pages, and is an error elsewhere",
)
.hint(
    "A guest's process reads through the host what it may not read itself, or not what it may: look at the user bit.",
);
/// Allocation follows coverage.
pub const ALLOCATION: Law =
    Law::new("allocation", "no single allocation of an op is larger than the bytes that are really there")
        .hint("Probably memory was reserved for what the guest says is there, before it was looked up.");
/// Host ranges of regions.
pub const HOST: Law = Law::new(
    "host",
    "a region's host range is as long as its guest range and lies inside one backing, at the right place",
)
.hint(
    "A region's host range is not the guest's: where the backing ends within a page the range must end with it, and a \
     page without backing has none.",
);
/// The region list.
pub const REGIONS: Law = Law::new(
    "regions",
    "regions are sorted and disjoint, cover what can be resolved and nothing else, and are coalesced as far as \
     backing, flags and type are one",
)
.hint(
    "The list is not what is mapped. Regions become one only within one backing, of one type and with the same flags, \
     and they hold what the guest can see and nothing else.",
);
/// Writes by the guest.
pub const GUEST_WRITE: Law = Law::new("guest_write", "a guest writes all of a range that it may write, or nothing");
/// Bounds of host accesses.
pub const SHARED_READ: Law =
    Law::new("shared_read", "a host read succeeds exactly when all of its range lies in the backing")
        .hint("Probably the bound check of a host read adds offset and length without looking whether the sum wraps.");
/// The LIFO buffer.
pub const BUFFER: Law = Law::new(
    "buffer",
    "pop gives back what push took, byte for byte; a pointer or prefix out of range is an error that changes nothing",
)
.hint(
    "The buffer believed what a guest can write: a pointer or a prefix out of range must be an error that changes \
     nothing, and clearing must not depend on them.",
);
/// File mappings.
pub const FILE_MAPPING: Law = Law::new(
    "file_mapping",
    "an entry is added at the count that guest-visible memory holds, and refused at the maximum",
);
/// Files that come and go.
pub const MAPPED: Law = Law::new(
    "mapped",
    "a file is mapped until it is taken away and again when it is mapped; a restore maps those that were mapped when \
     the snapshot was taken, and no others",
)
.hint("The set of file mappings is part of a snapshot: compare what is mapped before and after a restore.");
/// Snapshots.
pub const GENERATION: Law =
    Law::new("generation", "the generation goes up by one with each snapshot and is inherited on restore");
/// Handles.
pub const HANDLES: Law = Law::new(
    "handles",
    "memory is built when its layout fits; the host's handle keeps an abort buffer, the guest's none",
)
.hint("Probably scratch was laid out without looking whether it is large enough for its bookkeeping words.");

/// The words at the end of scratch.
pub const BOOKKEEPING: Law =
    Law::new("bookkeeping", "the words at the end of scratch equal the layout and the generation")
        .hint("Probably scratch was laid out without looking whether it is large enough for its bookkeeping words.");
/// The tail's copy.
pub const TAIL: Law =
    Law::new("tail", "the page tables in scratch equal the snapshot's tail that they were copied from");
/// Everything else in memory.
pub const MEMORY: Law = Law::new(
    "memory",
    "a byte of a backing changes through the ops that write it and through no other, and no byte before one changes; \
     what pop took is there still, or zero",
)
.hint(
    "Bytes of a backing are not what was last written there. Probably something was left over from before, or written \
     by the way.",
);

/// Every law.
pub const ALL: &[Law] = &[
    ANSWER,
    TABLES,
    MAP,
    WALK,
    ACCESS,
    WORK,
    RANGE,
    READ,
    PRIVILEGE,
    ALLOCATION,
    HOST,
    REGIONS,
    GUEST_WRITE,
    SHARED_READ,
    BUFFER,
    FILE_MAPPING,
    MAPPED,
    GENERATION,
    HANDLES,
    BOOKKEEPING,
    TAIL,
    MEMORY,
];
