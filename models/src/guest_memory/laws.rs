//! The laws of guest memory. An access is checked in the order size, overflow, alignment, mixed, device, range, and is
//! an error exactly when one of these says so; otherwise memory is one flat array of bytes.

use crate::Law;

/// Errors happen exactly when the contract says so.
pub const BOUNDS: Law = Law::new(
    "bounds",
    "an access succeeds exactly when its size is valid and all its bytes are in memory or in one device; else it fails",
);
/// The class of an error.
pub const ERROR_CLASS: Law = Law::new(
    "error_class",
    "a bad size or alignment is an alignment fault, an address out of range is an invalid address; size is checked \
     first",
);
/// Memory is flat.
pub const FLAT_MEMORY: Law = Law::new(
    "flat_memory",
    "memory is one flat array of bytes: shard borders are invisible and bulk equals the same bytes one at a time",
);
/// Errors change nothing.
pub const ERROR_CHANGES_NOTHING: Law =
    Law::new("error_changes_nothing", "an access that fails leaves memory and the caller's buffer as they were").hint(
        "The call failed, as it must, but only after it had copied: check the whole range before the first byte moves.",
    );
/// Buffers are respected.
pub const BUFFER_BOUNDS: Law =
    Law::new("buffer_bounds", "a bulk read writes the caller's buffer and no byte beyond it");
/// What devices see.
pub const DEVICE_CALLS: Law = Law::new(
    "device_calls",
    "a device sees exactly the calls of the access, within its size, bulk byte by byte, ascending, up to the first \
     error",
);
/// Where devices answer.
pub const DEVICE_MAP: Law = Law::new(
    "device_map",
    "mapping a device succeeds exactly when all its bytes have addresses and no other mapped device has one of them, \
     unmapping exactly when it is mapped; what is refused changes nothing",
);
/// Atomic accesses.
pub const ATOMIC: Law = Law::new(
    "atomic",
    "a compare-exchange answers what memory held, and stores exactly when that is what was expected",
);
/// Load-reserved and store-conditional.
pub const RESERVATION: Law = Law::new(
    "reservation",
    "a store-conditional succeeds exactly when its owner's reservation is live: same address, same size, no store to \
     its lines and no other store-conditional of its owner since",
);
/// Dump and restore.
pub const DUMP: Law = Law::new(
    "dump",
    "a dump is the whole memory, and each page of a dump of written pages what memory holds there, byte for byte",
);
/// The dirty log.
pub const DIRTY: Law = Law::new(
    "dirty",
    "a page that was written since the log was cleared is in the log, and one that no store named is not; an image to \
     which all dumps of the log were applied that succeeded is memory, whatever failed in between",
)
.hint(
    "One way to store does not mark its pages, marks some of them, or a dump that failed has cleared the log: clear \
     it when all of its pages are safe, and not before.",
);
/// Restore.
pub const RESTORE: Law = Law::new(
    "restore",
    "a restore succeeds exactly when the length is the memory's size, and then replaces every byte",
);
/// The size.
pub const MEMORY_SIZE: Law = Law::new("memory_size", "the memory's size is the one it was built with");
/// Answers have the form of their question.
pub const ANSWER: Law =
    Law::new("answer", "each op is answered in its own form, and skipped only where the contract says so");

/// Every law.
pub const ALL: &[Law] = &[
    BOUNDS,
    ERROR_CLASS,
    FLAT_MEMORY,
    ERROR_CHANGES_NOTHING,
    BUFFER_BOUNDS,
    DEVICE_CALLS,
    DEVICE_MAP,
    ATOMIC,
    RESERVATION,
    DUMP,
    DIRTY,
    RESTORE,
    MEMORY_SIZE,
    ANSWER,
];
