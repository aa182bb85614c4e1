//! The laws of page walks, reads, region lists and buffers. The first part is judged at each step, by what a caller could
//! see; the second part, the state laws, at the audit. A fault outranks both.

use crate::Law;

/// Answers have the form of their question.
pub const ANSWER: Law = Law {
    name: "answer",
    sentence: "each op is answered in its own form, and skipped only where the contract says so",
};
/// The table buffer.
pub const TABLES: Law = Law {
    name: "tables",
    sentence: "an entry reads as it was last written; outside of the buffer entries read as 0 and writes are dropped",
};
/// Mapping.
pub const MAP: Law = Law {
    name: "map",
    sentence: "a mapping is refused exactly when it is misaligned, out of range, too long, or its tables have no room",
};
/// Which pages are present, and where they lead.
pub const WALK: Law = Law {
    name: "walk",
    sentence: "a walk gives the pages that the processor's walk of four levels gives, in ascending order",
};
/// What may be done with a page.
pub const ACCESS: Law = Law {
    name: "access",
    sentence: "writable is the AND of RW over all levels, executable is no NX at any level, and copy-on-write is bit 9 without RW",
};
/// Bounded work.
pub const WORK: Law = Law {
    name: "work",
    sentence: "a walk of more than 2^20 leaves or 2^16 table visits, and a read of more than 2^20 bytes, ends with TooMuchWork",
};
/// Ranges.
pub const RANGE: Law = Law {
    name: "range",
    sentence: "a range must be canonical and end by 2^64; a range of no bytes is always fine and empty",
};
/// Reads.
pub const READ: Law =
    Law { name: "read", sentence: "a read gives all bytes of its range, translated one by one, or none and an error" };
/// Allocation follows coverage.
pub const ALLOCATION: Law = Law {
    name: "allocation",
    sentence: "no single allocation of an op is larger than the bytes that are really there",
};
/// Host ranges of regions.
pub const HOST: Law = Law {
    name: "host",
    sentence: "a region's host range is as long as its guest range and lies inside one backing, at the right place",
};
/// The region list.
pub const REGIONS: Law = Law {
    name: "regions",
    sentence: "regions are sorted and disjoint, cover what can be resolved and nothing else, and are coalesced as far as backing, flags and type are one",
};
/// Writes by the guest.
pub const GUEST_WRITE: Law =
    Law { name: "guest_write", sentence: "a guest writes all of a range that it may write, or nothing" };
/// Bounds of host accesses.
pub const SHARED_READ: Law =
    Law { name: "shared_read", sentence: "a host read succeeds exactly when all of its range lies in the backing" };
/// The LIFO buffer.
pub const BUFFER: Law = Law {
    name: "buffer",
    sentence: "pop gives back what push took, byte for byte; a pointer or prefix out of range is an error that changes nothing",
};
/// File mappings.
pub const FILE_MAPPING: Law = Law {
    name: "file_mapping",
    sentence: "an entry is added at the count that guest-visible memory holds, and refused at the maximum",
};
/// Snapshots.
pub const GENERATION: Law = Law {
    name: "generation",
    sentence: "the generation goes up by one with each snapshot and is inherited on restore",
};
/// Handles.
pub const HANDLES: Law = Law {
    name: "handles",
    sentence: "memory is built when its layout fits; the host's handle keeps an abort buffer, the guest's none",
};

/// The words at the end of scratch.
pub const BOOKKEEPING: Law =
    Law { name: "bookkeeping", sentence: "the words at the end of scratch equal the layout and the generation" };
/// The tail's copy.
pub const TAIL: Law =
    Law { name: "tail", sentence: "the page tables in scratch equal the snapshot's tail that they were copied from" };
/// Everything else in memory.
pub const MEMORY: Law = Law {
    name: "memory",
    sentence: "a byte of a backing changes through the ops that write it and through no other, and no byte before one changes",
};

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
    ALLOCATION,
    HOST,
    REGIONS,
    GUEST_WRITE,
    SHARED_READ,
    BUFFER,
    FILE_MAPPING,
    GENERATION,
    HANDLES,
    BOOKKEEPING,
    TAIL,
    MEMORY,
];
