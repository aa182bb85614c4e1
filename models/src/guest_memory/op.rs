//! The calls of guest memory. Total: every op is legal in every setup, and each error is an outcome.

use super::setup::MAX_DEVICES;
use crate::Payload;
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::{Arbitrary, Unstructured};
use memtwin_derive::Kinds;
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The longest bulk transfer of an op, in bytes (the largest of the bug report's benchmark).
    pub const MAX_TRANSFER_BYTES: u32 = 65_536;
    /// The number of owners: handles to the same memory, one for each virtual CPU.
    pub const OWNERS: u8 = 4;
}

/// A guest physical address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DescribedHere)]
#[serde(transparent)]
pub struct GuestAddress(#[serde(with = "crate::hex")] pub u64);

/// The virtual CPU whose handle carries out an op: below [`OWNERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u8", into = "u8")]
pub struct Owner(u8);

/// A device of the setup: below [`MAX_DEVICES`]. Where there is no such device, the call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u8", into = "u8")]
pub struct DeviceIndex(u8);

/// The length of a bulk transfer in bytes: at most [`MAX_TRANSFER_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, DescribedHere)]
#[serde(try_from = "u32", into = "u32")]
pub struct TransferLength(u32);

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Kinds, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the fields are the parameters of the call that each variant names
pub enum Op {
    /// `read(address, size)`: a little-endian scalar.
    Read { owner: Owner, address: GuestAddress, size: u8 },
    /// `write(address, value, size)`.
    Write {
        owner: Owner,
        address: GuestAddress,
        #[serde(with = "crate::hex")]
        value: u64,
        size: u8,
    },
    /// `fetch_insn(address)`: a read of 4 bytes.
    FetchInstruction { owner: Owner, address: GuestAddress },
    /// `load_reserved(address, size)`: a read that leaves a reservation of this owner.
    LoadReserved { owner: Owner, address: GuestAddress, size: u8 },
    /// `store_conditional(address, value, size)`.
    StoreConditional {
        owner: Owner,
        address: GuestAddress,
        #[serde(with = "crate::hex")]
        value: u64,
        size: u8,
    },
    /// `invalidate_reservation(address, size)`: kills every owner's reservation of the lines in the range.
    InvalidateReservation { owner: Owner, address: GuestAddress, size: u8 },
    /// `read_bulk(address, buffer)`.
    ReadBulk { owner: Owner, address: GuestAddress, length: TransferLength },
    /// `write_bulk(address, bytes)` with `length` bytes of the pattern `seed`.
    WriteBulk { owner: Owner, address: GuestAddress, seed: u16, length: TransferLength },
    /// `memory_size()`.
    MemorySize { owner: Owner },
    /// `dump_memory()`.
    Dump { owner: Owner },
    /// `restore_memory(bytes)` with `length` bytes of a pattern; right only when `length` is the memory's size.
    Restore { owner: Owner, payload: Payload },
    /// `restore_memory(dump_memory())`.
    RestoreDump { owner: Owner },
    /// `map_mmio(device, base)`: a device of the setup answers at another place than before, or again.
    MapDevice { owner: Owner, device: DeviceIndex, base: GuestAddress },
    /// `unmap_mmio(device)`: a device of the setup answers nowhere.
    UnmapDevice { owner: Owner, device: DeviceIndex },
    /// `atomic_load(address, size)`: a scalar whose address must be a multiple of its size.
    AtomicLoad { owner: Owner, address: GuestAddress, size: u8 },
    /// `atomic_store(address, value, size)`, likewise.
    AtomicStore {
        owner: Owner,
        address: GuestAddress,
        #[serde(with = "crate::hex")]
        value: u64,
        size: u8,
    },
    /// `compare_exchange(address, expected, value, size)`, likewise: stores where memory holds what is expected there,
    /// and answers what it held before.
    CompareExchange {
        owner: Owner,
        address: GuestAddress,
        #[serde(with = "crate::hex")]
        expected: u64,
        #[serde(with = "crate::hex")]
        value: u64,
        size: u8,
    },
    /// `dirty_log()`: which pages were written since the log was cleared.
    DirtyLog { owner: Owner },
    /// `take_dirty_log()`: the same, and clears it. Whoever takes the log sees to its pages.
    TakeDirtyLog { owner: Owner },
    /// `dump_dirty(image)`: writes the bytes of the log's pages to an image, and clears the log if all were written.
    DumpDirty { owner: Owner },
}

impl Op {
    /// The guest range that the op names, as (address, length in bytes); `None` for ops on the whole memory.
    #[must_use]
    pub fn range(&self) -> Option<(u64, u64)> {
        match *self {
            Op::Read { address, size, .. }
            | Op::Write { address, size, .. }
            | Op::LoadReserved { address, size, .. }
            | Op::StoreConditional { address, size, .. }
            | Op::InvalidateReservation { address, size, .. }
            | Op::AtomicLoad { address, size, .. }
            | Op::AtomicStore { address, size, .. }
            | Op::CompareExchange { address, size, .. } => Some((address.0, u64::from(size))),
            Op::FetchInstruction { address, .. } => Some((address.0, 4)),
            Op::ReadBulk { address, length, .. } | Op::WriteBulk { address, length, .. } => {
                Some((address.0, u64::from(length.0)))
            }
            Op::MemorySize { .. }
            | Op::Dump { .. }
            | Op::Restore { .. }
            | Op::RestoreDump { .. }
            | Op::MapDevice { .. }
            | Op::UnmapDevice { .. }
            | Op::DirtyLog { .. }
            | Op::TakeDirtyLog { .. }
            | Op::DumpDirty { .. } => None,
        }
    }

    /// Whether version 1 of the wire format does not know the op.
    #[inline]
    #[must_use]
    pub const fn is_later(&self) -> bool {
        matches!(
            self,
            Op::MapDevice { .. }
                | Op::UnmapDevice { .. }
                | Op::AtomicLoad { .. }
                | Op::AtomicStore { .. }
                | Op::CompareExchange { .. }
                | Op::DirtyLog { .. }
                | Op::TakeDirtyLog { .. }
                | Op::DumpDirty { .. }
        )
    }

    /// The owner whose handle carries out the op.
    #[inline]
    #[must_use]
    pub const fn owner(&self) -> Owner {
        match *self {
            Op::Read { owner, .. }
            | Op::Write { owner, .. }
            | Op::FetchInstruction { owner, .. }
            | Op::LoadReserved { owner, .. }
            | Op::StoreConditional { owner, .. }
            | Op::InvalidateReservation { owner, .. }
            | Op::ReadBulk { owner, .. }
            | Op::WriteBulk { owner, .. }
            | Op::MemorySize { owner }
            | Op::Dump { owner }
            | Op::Restore { owner, .. }
            | Op::RestoreDump { owner }
            | Op::MapDevice { owner, .. }
            | Op::UnmapDevice { owner, .. }
            | Op::AtomicLoad { owner, .. }
            | Op::AtomicStore { owner, .. }
            | Op::CompareExchange { owner, .. }
            | Op::DirtyLog { owner }
            | Op::TakeDirtyLog { owner }
            | Op::DumpDirty { owner } => owner,
        }
    }
}

impl Owner {
    /// An owner, folded into the number of owners.
    #[inline]
    #[must_use]
    pub const fn new_folded(index: u8) -> Self {
        Owner(index % OWNERS)
    }

    /// The index, below [`OWNERS`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl DeviceIndex {
    /// An index, folded into the most that a setup has.
    #[inline]
    #[must_use]
    pub const fn new_folded(index: u8) -> Self {
        #[allow(clippy::cast_possible_truncation)] // three
        DeviceIndex(index % MAX_DEVICES as u8)
    }

    /// The index, below [`MAX_DEVICES`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<u8> for DeviceIndex {
    type Error = &'static str;
    fn try_from(index: u8) -> Result<Self, Self::Error> {
        if usize::from(index) < MAX_DEVICES { Ok(DeviceIndex(index)) } else { Err("a device is 0 to 2") }
    }
}

impl From<DeviceIndex> for u8 {
    fn from(device: DeviceIndex) -> u8 {
        device.0
    }
}

impl TryFrom<u8> for Owner {
    type Error = &'static str;
    fn try_from(index: u8) -> Result<Self, Self::Error> {
        if index < OWNERS { Ok(Owner(index)) } else { Err("an owner is 0 to 3") }
    }
}

impl From<Owner> for u8 {
    fn from(owner: Owner) -> u8 {
        owner.0
    }
}

impl TransferLength {
    /// A length, folded into 0 to [`MAX_TRANSFER_BYTES`].
    #[inline]
    #[must_use]
    pub const fn new_folded(bytes: u64) -> Self {
        #[allow(clippy::cast_possible_truncation)] // below 2^17 after the remainder
        TransferLength((bytes % (MAX_TRANSFER_BYTES as u64 + 1)) as u32)
    }

    /// The length in bytes.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for TransferLength {
    type Error = &'static str;
    fn try_from(bytes: u32) -> Result<Self, Self::Error> {
        if bytes <= MAX_TRANSFER_BYTES { Ok(TransferLength(bytes)) } else { Err("a transfer is at most 65536 bytes") }
    }
}

impl From<TransferLength> for u32 {
    fn from(length: TransferLength) -> u32 {
        length.0
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for Owner {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.int_in_range(0..=OWNERS - 1).map(Owner)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for DeviceIndex {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        bytes.arbitrary().map(DeviceIndex::new_folded)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for TransferLength {
    /// Short lengths most of the time: they reach more states per byte moved.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let limit = if bytes.ratio(7, 8)? { 256 } else { MAX_TRANSFER_BYTES };
        bytes.int_in_range(0..=limit).map(TransferLength)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> Arbitrary<'a> for GuestAddress {
    /// Low memory most of the time, the last addresses sometimes, anywhere rarely: uniform 64-bit addresses reach
    /// nothing.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(GuestAddress(match bytes.int_in_range(0..=15u8)? {
            0 => bytes.arbitrary()?,
            1 => u64::MAX - u64::from(bytes.arbitrary::<u8>()?),
            _ => u64::from(bytes.arbitrary::<u16>()?),
        }))
    }
}
