//! What a program could see of a call, and the state that an audit is shown.

use super::contract::GuestMemoryContract;
use super::device::DeviceCall;
use super::op::{MAX_TRANSFER_BYTES, OpKind, TransferLength};
use super::setup::{DIRTY_PAGE_BYTES, DUMP_LIMIT_BYTES, MAX_DEVICE_BYTES, MAX_RAM_RANGES};
use crate::vocabulary::DescribedHere;
use crate::{Effect, OutcomeClass};

/// Bytes beyond a read buffer that show an overrun.
pub(crate) const REDZONE_BYTES: usize = 64;

/// Room for the pages of the largest memory that has a dirty log, and for those that ranges share.
#[allow(clippy::cast_possible_truncation)] // 264
const LOGGED_PAGES: usize = (DUMP_LIMIT_BYTES / DIRTY_PAGE_BYTES) as usize + 2 * MAX_RAM_RANGES;

crate::numbers! {
    /// What a caller's buffer holds before a bulk read, wholly or in part: a byte that memory seldom holds.
    pub const POISON: u8 = 0xdb;
}

/// The answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Seen {
    /// The subject cannot do such an op.
    Skipped,
    /// A scalar: read, fetch, load-reserved, atomic load, memory size.
    Value(u64),
    /// `Ok(())`: write, atomic store, bulk, invalidate, dump, restore, and what asks for the dirty log. Bulk data is in
    /// the buffer, a dump in [`Outcome::dump`], the log in [`Outcome::pages`].
    Done,
    /// A store-conditional's answer.
    Stored(bool),
    /// What a compare-exchange found, and whether it stored.
    Exchanged {
        /// What memory held before.
        before: u64,
        /// Whether it was what was expected, so that the value was stored.
        stored: bool,
    },
    /// Of a bulk transfer that cannot be done whole, so many bytes were moved, from the first on: at least one.
    Moved(u32),
    /// The call failed.
    Error(Error),
}

/// The class of an error. Addresses and texts are not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Error {
    /// Bad size or misaligned (`Fault::AlignmentFault`).
    Alignment,
    /// Out of range (`MemoryError::InvalidAddress`).
    InvalidAddress,
    /// Out of range, reported as a page fault.
    PageFault,
    /// Anything else: a device's error, a mixed access, a restore of the wrong length, an image that cannot be written.
    Other,
}

/// Bytes that were written to an image, or would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct PageWrite {
    /// The guest physical address of the first byte.
    pub address: u64,
    /// How many bytes in a row.
    pub length: u32,
    /// Whether the image refused them, as the setup says.
    pub refused: bool,
}

/// The outcome of one call.
#[derive(Debug, DescribedHere)]
pub struct Outcome {
    /// The answer.
    pub result: Seen,
    /// What the devices saw during the call.
    pub device_calls: Vec<DeviceCall>,
    /// The bytes of a dump, or of all writes to an image, one after the other.
    pub dump: Vec<u8>,
    /// The pages of the dirty log, in any order: the address of the first byte of each.
    pub pages: Vec<u64>,
    /// What was written to an image, in the order of the writes.
    pub page_writes: Vec<PageWrite>,
    buffer: Box<[u8]>,
}

impl Default for Outcome {
    fn default() -> Self {
        #[allow(clippy::cast_possible_truncation)] // 4096
        let longest_device_transfer = MAX_DEVICE_BYTES as usize;
        Outcome {
            result: Seen::Skipped,
            // Twice what a right access needs, so that a wrong one seldom makes it grow.
            device_calls: Vec::with_capacity(2 * longest_device_transfer),
            dump: Vec::new(),
            pages: Vec::with_capacity(LOGGED_PAGES),
            page_writes: Vec::with_capacity(LOGGED_PAGES),
            buffer: vec![0; MAX_TRANSFER_BYTES as usize + REDZONE_BYTES].into(),
        }
    }
}

impl Outcome {
    /// The caller's buffer of a bulk read, exactly `length` bytes.
    #[inline]
    pub fn buffer(&mut self, length: TransferLength) -> &mut [u8] {
        &mut self.buffer[..length.bytes() as usize]
    }

    /// The buffer and the bytes that follow it.
    #[inline]
    pub(crate) fn whole_buffer(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// The buffer and the bytes that follow it, as a model or an explanation reads them.
    #[inline]
    #[must_use]
    pub fn buffer_bytes(&self) -> &[u8] {
        &self.buffer
    }
}

pub(super) const CLASSES: &[OutcomeClass] = &[
    OutcomeClass { name: "done", effect: Effect::Success },
    OutcomeClass { name: "not_stored", effect: Effect::Failure },
    OutcomeClass { name: "alignment_fault", effect: Effect::Failure },
    OutcomeClass { name: "invalid_address", effect: Effect::Failure },
    OutcomeClass { name: "other_error", effect: Effect::Failure },
    OutcomeClass { name: "skipped", effect: Effect::Skipped },
    OutcomeClass { name: "moved_in_part", effect: Effect::Failure },
];

const DONE: usize = 0;
const NOT_STORED: usize = 1;
const ALIGNMENT_FAULT: usize = 2;
const INVALID_ADDRESS: usize = 3;
const OTHER_ERROR: usize = 4;
const SKIPPED: usize = 5;
const MOVED_IN_PART: usize = 6;

impl Seen {
    /// The index of the class in the component's outcome classes.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> usize {
        match self {
            Seen::Value(_) | Seen::Done | Seen::Stored(true) | Seen::Exchanged { stored: true, .. } => DONE,
            Seen::Stored(false) | Seen::Exchanged { stored: false, .. } => NOT_STORED,
            Seen::Error(Error::Alignment) => ALIGNMENT_FAULT,
            Seen::Error(Error::InvalidAddress | Error::PageFault) => INVALID_ADDRESS,
            Seen::Error(Error::Other) => OTHER_ERROR,
            Seen::Skipped => SKIPPED,
            Seen::Moved(_) => MOVED_IN_PART,
        }
    }
}

/// Which classes a subject with this contract can show for this kind of op, over all setups it serves.
pub(super) const fn permits(contract: &GuestMemoryContract, kind: OpKind, class: usize) -> bool {
    let skipped = match kind {
        OpKind::LoadReserved | OpKind::StoreConditional | OpKind::InvalidateReservation => contract.no_reservations,
        OpKind::Dump | OpKind::Restore | OpKind::RestoreDump => contract.no_dump,
        OpKind::AtomicLoad | OpKind::AtomicStore => contract.no_atomics,
        OpKind::CompareExchange => contract.no_atomics || contract.no_compare_exchange,
        OpKind::DirtyLog | OpKind::TakeDirtyLog | OpKind::DumpDirty => contract.no_dirty_log,
        OpKind::MapDevice | OpKind::UnmapDevice => contract.fixed_devices || contract.no_devices,
        OpKind::Read
        | OpKind::Write
        | OpKind::FetchInstruction
        | OpKind::ReadBulk
        | OpKind::WriteBulk
        | OpKind::MemorySize => false,
    };
    if skipped {
        return class == SKIPPED;
    }
    match (kind, class) {
        (_, DONE) => true,
        (OpKind::StoreConditional | OpKind::CompareExchange, NOT_STORED) => true,
        (
            OpKind::Read
            | OpKind::Write
            | OpKind::LoadReserved
            | OpKind::StoreConditional
            | OpKind::AtomicLoad
            | OpKind::AtomicStore
            | OpKind::CompareExchange,
            ALIGNMENT_FAULT,
        ) => true,
        (OpKind::FetchInstruction, ALIGNMENT_FAULT) => !contract.no_strict_alignment,
        (
            OpKind::Read
            | OpKind::Write
            | OpKind::FetchInstruction
            | OpKind::LoadReserved
            | OpKind::StoreConditional
            | OpKind::AtomicLoad
            | OpKind::AtomicStore
            | OpKind::CompareExchange
            | OpKind::ReadBulk
            | OpKind::WriteBulk,
            INVALID_ADDRESS,
        ) => true,
        (
            OpKind::Read
            | OpKind::Write
            | OpKind::FetchInstruction
            | OpKind::LoadReserved
            | OpKind::StoreConditional
            | OpKind::AtomicLoad
            | OpKind::AtomicStore
            | OpKind::CompareExchange
            | OpKind::ReadBulk
            | OpKind::WriteBulk,
            OTHER_ERROR,
        ) => !contract.no_devices,
        (OpKind::ReadBulk | OpKind::WriteBulk, MOVED_IN_PART) => contract.partial_bulk,
        (OpKind::Restore | OpKind::MapDevice | OpKind::UnmapDevice | OpKind::DumpDirty, OTHER_ERROR) => true,
        _ => false,
    }
}

/// The state that an audit is shown. The model fills the `wanted` fields, the subject the others; what it cannot show
/// it leaves `None` or empty.
#[derive(Debug, Default, DescribedHere)]
pub struct View {
    /// Whether the whole memory is wanted in [`View::dump`] (memories up to the dump limit).
    pub dump_wanted: bool,
    /// Ranges of memory wanted in [`View::bytes`], as (address, length in bytes), never over a device.
    pub ranges_wanted: Vec<(u64, u32)>,
    /// The whole memory.
    pub dump: Option<Vec<u8>>,
    /// The bytes of the wanted ranges, one after the other.
    pub bytes: Vec<u8>,
    /// The memory's size in bytes.
    pub memory_size: Option<u64>,
}
