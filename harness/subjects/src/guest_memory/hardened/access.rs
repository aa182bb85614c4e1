//! The interface of guest memory: addresses, sizes, errors and the trait that every implementation offers.
//!
//! A guest physical address is a number and stays one: nothing here turns it into a pointer. The bulk methods are
//! required. A default could only be slow or wrong, and the default that once stood here was wrong.

use std::fmt;

/// A guest physical address. Not a host address: the two must never be mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPhysAddr(u64);

impl GuestPhysAddr {
    /// The address with this number.
    #[inline]
    #[must_use]
    pub const fn new(address: u64) -> Self {
        GuestPhysAddr(address)
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for GuestPhysAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

/// The virtual CPU on whose behalf an access is made: reservations belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerIndex(pub u16);

/// The size of a scalar access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessSize {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
    /// 8 bytes.
    Double,
}

impl AccessSize {
    /// The size of `bytes` bytes; an alignment fault at `pa` unless that is 1, 2, 4 or 8.
    #[inline]
    pub const fn try_new(pa: GuestPhysAddr, bytes: u8) -> Result<Self, VmError> {
        match bytes {
            1 => Ok(AccessSize::Byte),
            2 => Ok(AccessSize::Half),
            4 => Ok(AccessSize::Word),
            8 => Ok(AccessSize::Double),
            _ => Err(VmError::Fault(Fault::AlignmentFault { pa, size: bytes })),
        }
    }

    /// The size in bytes.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> u8 {
        match self {
            AccessSize::Byte => 1,
            AccessSize::Half => 2,
            AccessSize::Word => 4,
            AccessSize::Double => 8,
        }
    }

    /// `value` without the bits that do not fit.
    #[inline]
    #[must_use]
    pub const fn truncate(self, value: u64) -> u64 {
        match self {
            AccessSize::Byte => value & 0xff,
            AccessSize::Half => value & 0xffff,
            AccessSize::Word => value & 0xffff_ffff,
            AccessSize::Double => value,
        }
    }

    /// The little-endian value in the first bytes of `bytes`, zero-extended. The slice holds at least this size.
    #[inline]
    pub(crate) fn load(self, bytes: &[u8]) -> u64 {
        // One arm for each length: a copy of constant length is one instruction, a copy of unknown length is a call.
        let mut value = [0; 8];
        match self {
            AccessSize::Byte => value[0] = bytes[0],
            AccessSize::Half => value[..2].copy_from_slice(&bytes[..2]),
            AccessSize::Word => value[..4].copy_from_slice(&bytes[..4]),
            AccessSize::Double => value.copy_from_slice(&bytes[..8]),
        }
        u64::from_le_bytes(value)
    }

    /// Puts the low bytes of `value` into the first bytes of `bytes`, which holds at least this size.
    #[inline]
    pub(crate) fn store(self, value: u64, bytes: &mut [u8]) {
        let value = value.to_le_bytes();
        match self {
            AccessSize::Byte => bytes[0] = value[0],
            AccessSize::Half => bytes[..2].copy_from_slice(&value[..2]),
            AccessSize::Word => bytes[..4].copy_from_slice(&value[..4]),
            AccessSize::Double => bytes[..8].copy_from_slice(&value),
        }
    }
}

/// The bytes `[start, end)`. Its construction is the one place where an address is added to a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestRange {
    start: u64,
    end: u64,
}

impl GuestRange {
    /// `length` bytes from `pa` on; an invalid address when the end cannot be represented.
    #[inline]
    pub const fn try_new(pa: GuestPhysAddr, length: u64) -> Result<Self, VmError> {
        match pa.0.checked_add(length) {
            Some(end) => Ok(GuestRange { start: pa.0, end }),
            None => Err(VmError::Memory(MemoryError::InvalidAddress(pa))),
        }
    }

    /// The bytes of a slice of guest memory that begins at `pa`.
    #[inline]
    pub(crate) const fn of_slice(pa: GuestPhysAddr, bytes: &[u8]) -> Result<Self, VmError> {
        Self::try_new(pa, bytes.len() as u64)
    }

    /// The bytes of a scalar at `pa`.
    #[inline]
    pub(crate) const fn of_scalar(pa: GuestPhysAddr, size: AccessSize) -> Result<Self, VmError> {
        Self::try_new(pa, size.bytes() as u64)
    }

    /// The first `size` bytes of the address space.
    #[inline]
    pub(crate) const fn up_to(size: u64) -> Self {
        GuestRange { start: 0, end: size }
    }

    /// The bytes from `start` to before `end`; none when `end` comes first.
    #[inline]
    pub(crate) fn between(start: u64, end: u64) -> Self {
        GuestRange { start, end: end.max(start) }
    }

    /// The part of the range below `size`.
    #[inline]
    pub(crate) fn clipped_to(self, size: u64) -> Self {
        GuestRange { start: self.start.min(size), end: self.end.min(size) }
    }

    /// The first address.
    #[inline]
    #[must_use]
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The first address after the range.
    #[inline]
    #[must_use]
    pub const fn end(self) -> u64 {
        self.end
    }

    /// The length in bytes.
    #[inline]
    #[must_use]
    pub const fn length(self) -> u64 {
        self.end - self.start
    }

    /// Whether the two have a byte in common.
    #[inline]
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end && !self.is_empty() && !other.is_empty()
    }

    /// Whether every byte of `other` is in this range.
    #[inline]
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The error of an access to a range that is not all in memory.
    #[inline]
    pub(crate) const fn invalid(self) -> VmError {
        VmError::Memory(MemoryError::InvalidAddress(GuestPhysAddr(self.start)))
    }

    /// Whether there is no byte in it.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Why an access failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VmError {
    /// The memory or its address map refused.
    Memory(MemoryError),
    /// The guest is to be given a fault.
    Fault(Fault),
    /// The device at this address refused.
    Device(GuestPhysAddr),
}

/// A refusal by memory or by its address map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryError {
    /// The access reaches beyond memory, or wraps the address space.
    InvalidAddress(GuestPhysAddr),
    /// The access touches a device and something else.
    MixedAccess(GuestPhysAddr),
    /// Devices hold no reservations.
    ReservationOnDevice(GuestPhysAddr),
    /// There is no room for a transfer of this many bytes.
    OutOfMemory(u64),
}

/// A fault for the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Misaligned, or a size that is not 1, 2, 4 or 8 bytes.
    AlignmentFault {
        /// The address of the access.
        pa: GuestPhysAddr,
        /// The size of the access in bytes.
        size: u8,
    },
    /// No page there, in the words of implementations that report range errors so.
    PageFault(GuestPhysAddr),
}

impl fmt::Display for VmError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VmError::Memory(MemoryError::InvalidAddress(pa)) => write!(formatter, "no memory at guest address {pa}"),
            VmError::Memory(MemoryError::MixedAccess(pa)) => {
                write!(formatter, "the access at guest address {pa} touches a device and something else")
            }
            VmError::Memory(MemoryError::ReservationOnDevice(pa)) => {
                write!(formatter, "a device at guest address {pa} cannot be reserved")
            }
            VmError::Memory(MemoryError::OutOfMemory(bytes)) => {
                write!(formatter, "no room for a device transfer of {bytes} bytes")
            }
            VmError::Fault(Fault::AlignmentFault { pa, size }) => {
                write!(formatter, "an access of {size} bytes at guest address {pa} is of a bad size or misaligned")
            }
            VmError::Fault(Fault::PageFault(pa)) => write!(formatter, "page fault at guest address {pa}"),
            VmError::Device(pa) => write!(formatter, "the device at guest address {pa} refused"),
        }
    }
}

impl std::error::Error for VmError {}

/// Guest memory as one virtual CPU sees it. Every implementor is one CPU's handle; the memory behind it is shared.
///
/// An access of `length` bytes is checked in this order: its size (scalars), overflow of address plus length, alignment
/// (scalars, where it is strict), devices, range. A failing access changes neither memory nor the caller's buffer.
pub trait MemoryAccess {
    /// The little-endian scalar of `size` bytes (1, 2, 4 or 8) at `pa`, zero-extended.
    fn read(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError>;

    /// Stores the low `size` bytes (1, 2, 4 or 8) of `value` at `pa`, little-endian.
    fn write(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError>;

    /// The instruction word of 4 bytes at `pc`.
    fn fetch_insn(&self, pc: GuestPhysAddr) -> Result<u32, VmError>;

    /// A read that leaves a reservation of this CPU and drops its older one.
    fn load_reserved(&mut self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError>;

    /// Stores if this CPU's reservation, made with the same address and size, is still live, and says whether it was.
    fn store_conditional(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError>;

    /// Kills every CPU's reservations on the 64-byte lines of `[pa, pa + size)`.
    fn invalidate_reservation(&mut self, pa: GuestPhysAddr, size: u8);

    /// Fills `buffer` from `pa` on.
    fn read_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError>;

    /// Stores all of `bytes` from `pa` on.
    fn write_bulk(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError>;

    /// The memory's size in bytes.
    fn memory_size(&self) -> u64;

    /// A copy of the whole memory, also of what devices hide. Allocates as many bytes.
    fn dump_memory(&self) -> Vec<u8>;

    /// Replaces the whole memory, also what devices hide, and kills every reservation. Fails, and changes nothing,
    /// unless `bytes` has the memory's size.
    fn restore_memory(&mut self, bytes: &[u8]) -> Result<(), String>;
}
