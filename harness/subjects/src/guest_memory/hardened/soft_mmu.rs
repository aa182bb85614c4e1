//! Memory and devices behind one interface, as one virtual CPU sees them.
//!
//! The order of checks is the interface's: size, overflow, alignment, devices, range; the last is memory's own. Refuses
//! reservations on devices, and transfers that would have to be divided between memory and a device.

use super::access::{AccessSize, Fault, GuestPhysAddr, GuestRange, MemoryAccess, MemoryError, OwnerIndex, VmError};
use super::memory::Memory;
use super::mmio::{MmioDevice, MmioMap, RegionError, Route};
use super::physical::{PhysicalMemory, low_word};
use std::sync::Arc;

/// Which scalar accesses are aligned well enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alignment {
    /// All.
    #[default]
    Any,
    /// Those at a multiple of their size; others are alignment faults.
    Strict,
}

/// One virtual CPU's view of memory and devices.
#[derive(Debug)]
pub struct SoftMmu<M = PhysicalMemory> {
    memory: Arc<M>,
    devices: MmioMap,
    alignment: Alignment,
    owner: OwnerIndex,
}

impl<M> SoftMmu<M> {
    /// The view of `owner`, without devices.
    #[must_use]
    pub fn new(memory: Arc<M>, owner: OwnerIndex, alignment: Alignment) -> Self {
        SoftMmu { memory, devices: MmioMap::default(), alignment, owner }
    }

    /// Puts a device in front of `[base, base + size)`, inside or outside of memory.
    pub fn map_mmio(&mut self, base: GuestPhysAddr, size: u64, device: Arc<dyn MmioDevice>) -> Result<(), RegionError> {
        self.devices.insert(base, size, device)
    }

    /// Takes away the device whose region begins at `base`.
    pub fn unmap_mmio(&mut self, base: GuestPhysAddr) -> Result<(), RegionError> {
        if self.devices.remove(base) { Ok(()) } else { Err(RegionError::Unmapped) }
    }

    /// Moves the device whose region begins at `from`. Where it cannot be at `to`, it stays.
    pub fn move_mmio(&mut self, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        self.devices.relocate(from, to)
    }

    /// The view of another virtual CPU: the same memory, and the same devices as long as neither map changes.
    #[must_use]
    pub fn for_owner(&self, owner: OwnerIndex) -> Self {
        let (memory, devices) = (Arc::clone(&self.memory), self.devices.clone());
        SoftMmu { memory, devices, alignment: self.alignment, owner }
    }

    /// The memory behind the devices.
    #[inline]
    #[must_use]
    pub fn memory(&self) -> &Arc<M> {
        &self.memory
    }

    /// The virtual CPU whose view this is.
    #[inline]
    #[must_use]
    pub const fn owner(&self) -> OwnerIndex {
        self.owner
    }

    /// Every check of a scalar except the range: its size, its range's end, its alignment, who answers.
    #[inline]
    pub(crate) fn route_scalar(&self, pa: GuestPhysAddr, size: u8) -> Result<(AccessSize, Route<'_>), VmError> {
        let (size, range) = self.check_scalar(pa, size)?;
        Ok((size, self.devices.route(range)?))
    }

    /// Every check of a scalar before devices are looked at.
    #[inline]
    pub(crate) fn check_scalar(&self, pa: GuestPhysAddr, size: u8) -> Result<(AccessSize, GuestRange), VmError> {
        let access = AccessSize::try_new(pa, size)?;
        let range = GuestRange::of_scalar(pa, access)?;
        if self.alignment == Alignment::Strict && pa.get() & (u64::from(size) - 1) != 0 {
            return Err(VmError::Fault(Fault::AlignmentFault { pa, size }));
        }
        Ok((access, range))
    }

    /// Who answers an access to the whole of `range`.
    #[inline]
    pub(crate) fn route(&self, range: GuestRange) -> Result<Route<'_>, VmError> {
        self.devices.route(range)
    }

    /// The size of a scalar that only memory may answer.
    #[inline]
    pub(crate) fn route_reservable(&self, pa: GuestPhysAddr, size: u8) -> Result<AccessSize, VmError> {
        match self.route_scalar(pa, size)? {
            (size, Route::Memory) => Ok(size),
            (_, Route::Device(..)) => Err(VmError::Memory(MemoryError::ReservationOnDevice(pa))),
        }
    }
}

impl<M: Memory> MemoryAccess for SoftMmu<M> {
    #[inline]
    fn read(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        match self.route_scalar(pa, size)? {
            (size, Route::Memory) => self.memory.load(pa, size),
            (size, Route::Device(region, offset)) => region.load(offset, size),
        }
    }

    #[inline]
    fn write(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        match self.route_scalar(pa, size)? {
            (size, Route::Memory) => self.memory.store(pa, value, size),
            (size, Route::Device(region, offset)) => region.store(offset, value, size),
        }
    }

    #[inline]
    fn fetch_insn(&self, pc: GuestPhysAddr) -> Result<u32, VmError> {
        self.read(pc, AccessSize::Word.bytes()).map(low_word)
    }

    fn load_reserved(&mut self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        let size = self.route_reservable(pa, size)?;
        self.memory.load_reserved(self.owner, pa, size)
    }

    fn store_conditional(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let size = self.route_reservable(pa, size)?;
        self.memory.store_conditional(self.owner, pa, value, size)
    }

    fn invalidate_reservation(&mut self, pa: GuestPhysAddr, size: u8) {
        self.memory.invalidate_reservation(pa, size);
    }

    #[inline]
    fn read_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        match self.route(GuestRange::of_slice(pa, buffer)?)? {
            Route::Memory => self.memory.load_bulk(pa, buffer),
            Route::Device(region, offset) => region.load_bulk(offset, buffer),
        }
    }

    #[inline]
    fn write_bulk(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        match self.route(GuestRange::of_slice(pa, bytes)?)? {
            Route::Memory => self.memory.store_bulk(pa, bytes),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }

    fn memory_size(&self) -> u64 {
        self.memory.size()
    }

    fn dump_memory(&self) -> Vec<u8> {
        self.memory.dump()
    }

    fn restore_memory(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.memory.restore(bytes)
    }
}
