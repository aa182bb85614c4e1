//! Device regions: who answers an access, and how a bulk transfer becomes device calls.
//!
//! Where a region covers memory, the device answers. Refuses an access that touches a device and anything else, because
//! no order of its halves would be right; and a call with an offset outside its device.

use super::access::{AccessSize, GuestPhysAddr, GuestRange, MemoryError, VmError};
use std::fmt;
use std::sync::Arc;

/// A device behind a region. Called with `offset + size` within the region's size, from any thread.
pub trait MmioDevice: Send + Sync {
    /// The value of the `size` bytes (1, 2, 4 or 8) of registers at `offset`.
    fn read(&self, offset: u64, size: u8) -> Result<u64, DeviceError>;
    /// Puts `value` into the `size` bytes (1, 2, 4 or 8) of registers at `offset`.
    fn write(&self, offset: u64, value: u64, size: u8) -> Result<(), DeviceError>;
}

/// A device refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceError;

/// A region cannot be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionError {
    /// It has no bytes.
    Empty,
    /// It wraps the address space.
    Wraps,
    /// It overlaps a region that is mapped already.
    Overlaps,
    /// No region begins there.
    Unmapped,
}

impl fmt::Display for RegionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            RegionError::Empty => "the device region has no bytes",
            RegionError::Wraps => "the device region wraps the address space",
            RegionError::Overlaps => "the device region overlaps another",
            RegionError::Unmapped => "no device region begins there",
        })
    }
}

impl std::error::Error for RegionError {}

/// A device and where it is.
#[derive(Clone)]
pub(crate) struct MmioRegion {
    range: GuestRange,
    device: Arc<dyn MmioDevice>,
}

/// Every region of an address space, sorted by address, disjoint.
#[derive(Clone, Default)]
pub(crate) struct MmioMap {
    regions: Vec<MmioRegion>,
}

/// Who answers an access.
pub(crate) enum Route<'a> {
    /// Memory, if the range is in it.
    Memory,
    /// This device, at this offset.
    Device(&'a MmioRegion, u64),
}

impl MmioMap {
    pub(crate) fn insert(
        &mut self,
        base: GuestPhysAddr,
        size: u64,
        device: Arc<dyn MmioDevice>,
    ) -> Result<(), RegionError> {
        let range = GuestRange::try_new(base, size).map_err(|_| RegionError::Wraps)?;
        if range.is_empty() {
            return Err(RegionError::Empty);
        }
        let position = self.regions.partition_point(|region| region.range.start() < range.start());
        if self.regions.iter().any(|region| region.range.meets(range)) {
            return Err(RegionError::Overlaps);
        }
        self.regions.insert(position, MmioRegion { range, device });
        Ok(())
    }

    /// Takes the region that begins at `base` out, and says whether there was one.
    pub(crate) fn remove(&mut self, base: GuestPhysAddr) -> bool {
        let before = self.regions.len();
        self.regions.retain(|region| region.range.start() != base.get());
        self.regions.len() != before
    }

    /// Moves the region that begins at `from`; where it cannot be at `to`, it stays.
    pub(crate) fn relocate(&mut self, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        let index = self.regions.iter().position(|region| region.range.start() == from.get());
        let region = self.regions.remove(index.ok_or(RegionError::Unmapped)?);
        let moved = self.insert(to, region.range.length(), Arc::clone(&region.device));
        if moved.is_err() {
            let place = self.regions.partition_point(|other| other.range.start() < region.range.start());
            self.regions.insert(place, region);
        }
        moved
    }

    /// Who answers an access to the whole of `range`; an error when several would have to.
    #[inline]
    pub(crate) fn route(&self, range: GuestRange) -> Result<Route<'_>, VmError> {
        match self.regions.iter().find(|region| region.range.meets(range)) {
            None => Ok(Route::Memory),
            Some(region) if region.range.contains(range) => Ok(Route::Device(region, region.offset_of(range))),
            Some(_) => Err(VmError::Memory(MemoryError::MixedAccess(GuestPhysAddr::new(range.start())))),
        }
    }
}

impl fmt::Debug for MmioMap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.regions.iter().map(|region| region.range)).finish()
    }
}

/// Transfers up to this size are staged on the stack, longer ones on the heap, in bytes.
const STAGED_BYTES: usize = 4096;

impl MmioRegion {
    fn offset_of(&self, range: GuestRange) -> u64 {
        range.start().saturating_sub(self.range.start())
    }

    fn refused(&self, offset: u64) -> VmError {
        VmError::Device(GuestPhysAddr::new(self.range.start().saturating_add(offset)))
    }

    /// One call of the scalar's size.
    pub(crate) fn load(&self, offset: u64, size: AccessSize) -> Result<u64, VmError> {
        let value = self.device.read(offset, size.bytes()).map_err(|DeviceError| self.refused(offset))?;
        Ok(size.truncate(value))
    }

    /// One call of the scalar's size.
    pub(crate) fn store(&self, offset: u64, value: u64, size: AccessSize) -> Result<(), VmError> {
        let value = size.truncate(value);
        self.device.write(offset, value, size.bytes()).map_err(|DeviceError| self.refused(offset))
    }

    /// One call for each byte, ascending, up to the first error. The buffer changes only when all succeeded: device
    /// reads have effects and cannot be tried first, so the bytes are staged.
    pub(crate) fn load_bulk(&self, offset: u64, buffer: &mut [u8]) -> Result<(), VmError> {
        let mut on_stack = [0; STAGED_BYTES];
        let mut on_heap = Vec::new();
        let staged = match on_stack.get_mut(..buffer.len()) {
            Some(staged) => staged,
            None => {
                let out_of_memory = VmError::Memory(MemoryError::OutOfMemory(buffer.len() as u64));
                on_heap.try_reserve_exact(buffer.len()).map_err(|_| out_of_memory)?;
                on_heap.resize(buffer.len(), 0);
                on_heap.as_mut_slice()
            }
        };
        for (offset, byte) in (offset..).zip(staged.iter_mut()) {
            *byte = self.load(offset, AccessSize::Byte)?.to_le_bytes()[0];
        }
        buffer.copy_from_slice(staged);
        Ok(())
    }

    /// One call for each byte, ascending, up to the first error.
    pub(crate) fn store_bulk(&self, offset: u64, bytes: &[u8]) -> Result<(), VmError> {
        for (offset, &byte) in (offset..).zip(bytes) {
            self.store(offset, u64::from(byte), AccessSize::Byte)?;
        }
        Ok(())
    }
}
