//! What stands behind devices: memory, flat or in regions.

use super::access::{AccessSize, GuestPhysAddr, OwnerIndex, VmError};
use super::dirty::DirtyLog;
use super::physical::PhysicalMemory;
use std::fmt::Debug;

/// What a compare-exchange found: `Ok` where it was what was expected, so that the value was stored.
pub type Exchanged = Result<u64, u64>;

/// Memory that virtual CPUs share. Each call is atomic towards other threads.
pub trait Memory: Debug + Send + Sync {
    /// The scalar at `pa`.
    fn load(&self, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError>;
    /// Stores the low bytes of `value` at `pa`.
    fn store(&self, pa: GuestPhysAddr, value: u64, size: AccessSize) -> Result<(), VmError>;
    /// The scalar at `pa`, reserved for `owner`.
    fn load_reserved(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError>;
    /// Stores at `pa` if `owner`'s reservation of the same bytes is live, and says whether it was.
    fn store_conditional(
        &self,
        owner: OwnerIndex,
        pa: GuestPhysAddr,
        value: u64,
        size: AccessSize,
    ) -> Result<bool, VmError>;
    /// Stores at `pa` if the low bytes of `expected` are there, and says what was.
    fn compare_exchange(
        &self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: AccessSize,
    ) -> Result<Exchanged, VmError>;
    /// Kills all reservations on the lines of `[pa, pa + size)`.
    fn invalidate_reservation(&self, pa: GuestPhysAddr, size: u8);
    /// Fills `buffer` from `pa` on.
    fn load_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError>;
    /// Stores `source` from `pa` on.
    fn store_bulk(&self, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError>;
    /// The size in bytes.
    fn size(&self) -> u64;
    /// A copy of all bytes, in the order of their addresses.
    fn dump(&self) -> Vec<u8>;
    /// Replaces all bytes and kills every reservation; fails, and changes nothing, where the size is another.
    fn restore(&self, source: &[u8]) -> Result<(), String>;
    /// The log of written pages, where there is one.
    fn dirty_log(&self) -> Option<&DirtyLog>;
}

impl Memory for PhysicalMemory {
    #[inline]
    fn load(&self, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        self.load(pa, size)
    }

    #[inline]
    fn store(&self, pa: GuestPhysAddr, value: u64, size: AccessSize) -> Result<(), VmError> {
        self.store(pa, value, size)
    }

    fn load_reserved(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        self.load_reserved(owner, pa, size)
    }

    fn store_conditional(
        &self,
        owner: OwnerIndex,
        pa: GuestPhysAddr,
        value: u64,
        size: AccessSize,
    ) -> Result<bool, VmError> {
        self.store_conditional(owner, pa, value, size)
    }

    fn compare_exchange(
        &self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: AccessSize,
    ) -> Result<Exchanged, VmError> {
        self.compare_exchange(pa, expected, value, size)
    }

    fn invalidate_reservation(&self, pa: GuestPhysAddr, size: u8) {
        self.invalidate_reservation(pa, size);
    }

    #[inline]
    fn load_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        self.load_bulk(pa, buffer)
    }

    #[inline]
    fn store_bulk(&self, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError> {
        self.store_bulk(pa, source)
    }

    fn size(&self) -> u64 {
        self.size()
    }

    fn dump(&self) -> Vec<u8> {
        self.dump()
    }

    fn restore(&self, source: &[u8]) -> Result<(), String> {
        self.restore(source)
    }

    fn dirty_log(&self) -> Option<&DirtyLog> {
        self.dirty_log()
    }
}
