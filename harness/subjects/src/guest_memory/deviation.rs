//! The frame of a broken subject: the hardened [`SoftMmu`] with the few methods replaced that hold the defect.
//!
//! Does not combine defects: a subject has one. Every method that a deviation does not name is the hardened one.

use crate::guest_memory::hardened::{
    Atomics, DumpError, Exchanged, GuestPhysAddr, MemoryAccess, MmioDevice, PageImage, PhysicalMemory, RegionError,
    SoftMmu, VmError, WriteLog,
};
use crate::guest_memory::recorded_devices::RecordedDevices;
use crate::guest_memory::sound;
use crate::guest_memory::subject::{DeviceMap, Machine, Vcpu};
use memtwin_models::guest_memory::{GuestMemoryContract, Setup};
use memtwin_models::{Contract as _, Health, Unsupported};
use std::marker::PhantomData;
use std::sync::Arc;

/// One defect: what differs from the hardened code.
pub trait Deviation: 'static {
    /// The name on the command line: the defect's id, where there is one.
    const NAME: &'static str = Self::HEALTH.id();
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// What it claims.
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };
    /// False where the defect is in construction or in drop, so that each trace must meet it.
    const REUSABLE: bool = true;

    /// The memory behind the handles.
    fn memory(setup: &Setup) -> Result<Arc<PhysicalMemory>, Unsupported> {
        sound::lazy_memory(setup, setup.memory_size)
    }

    /// [`MemoryAccess::read`]
    #[inline]
    fn read(mmu: &SoftMmu, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        mmu.read(pa, size)
    }

    /// [`MemoryAccess::write`]
    #[inline]
    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        mmu.write(pa, value, size)
    }

    /// [`MemoryAccess::fetch_insn`]
    #[inline]
    fn fetch_insn(mmu: &SoftMmu, pc: GuestPhysAddr) -> Result<u32, VmError> {
        mmu.fetch_insn(pc)
    }

    /// [`MemoryAccess::store_conditional`]
    #[inline]
    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        mmu.store_conditional(pa, value, size)
    }

    /// [`Atomics::atomic_store`]
    fn atomic_store(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        mmu.atomic_store(pa, value, size)
    }

    /// [`Atomics::compare_exchange`]
    fn compare_exchange(
        mmu: &mut SoftMmu,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        mmu.compare_exchange(pa, expected, value, size)
    }

    /// [`WriteLog::dirty_log`]
    fn dirty_log(mmu: &SoftMmu, visit: &mut dyn FnMut(GuestPhysAddr)) {
        mmu.dirty_log(visit);
    }

    /// [`WriteLog::take_dirty_log`]
    fn take_dirty_log(mmu: &mut SoftMmu, visit: &mut dyn FnMut(GuestPhysAddr)) {
        mmu.take_dirty_log(visit);
    }

    /// [`WriteLog::dump_dirty`]
    fn dump_dirty(mmu: &mut SoftMmu, image: &mut dyn PageImage) -> Result<(), DumpError> {
        mmu.dump_dirty(image)
    }

    /// [`SoftMmu::move_mmio`]
    fn move_mmio(mmu: &mut SoftMmu, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        mmu.move_mmio(from, to)
    }

    /// [`SoftMmu::unmap_mmio`]
    fn unmap_mmio(mmu: &mut SoftMmu, base: GuestPhysAddr) -> Result<(), RegionError> {
        mmu.unmap_mmio(base)
    }

    /// [`MemoryAccess::read_bulk`]
    #[inline]
    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        mmu.read_bulk(pa, buffer)
    }

    /// [`MemoryAccess::write_bulk`]
    #[inline]
    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        mmu.write_bulk(pa, bytes)
    }

    /// [`MemoryAccess::memory_size`]
    fn memory_size(mmu: &SoftMmu) -> u64 {
        mmu.memory_size()
    }

    /// [`MemoryAccess::dump_memory`]
    fn dump_memory(mmu: &SoftMmu) -> Vec<u8> {
        mmu.dump_memory()
    }

    /// [`MemoryAccess::restore_memory`]
    fn restore_memory(mmu: &mut SoftMmu, bytes: &[u8]) -> Result<(), String> {
        mmu.restore_memory(bytes)
    }
}

/// A [`SoftMmu`] with the defect `D`.
#[derive(Debug)]
pub struct Deviating<D> {
    mmu: SoftMmu,
    deviation: PhantomData<D>,
}

impl<D: Deviation> Vcpu for Deviating<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: GuestMemoryContract = D::CONTRACT;
    const REUSABLE: bool = D::REUSABLE;
    type Ram = Arc<PhysicalMemory>;

    fn device_map(&mut self) -> Option<&mut dyn DeviceMap> {
        Some(self)
    }

    fn atomics(&mut self) -> Option<&mut dyn Atomics> {
        Some(self)
    }

    fn write_log(&mut self) -> Option<&mut dyn WriteLog> {
        Some(self)
    }

    fn build(setup: &Setup, devices: &Arc<RecordedDevices>) -> Result<Machine<Self>, Unsupported> {
        let ram = D::memory(setup)?;
        let mmu = sound::soft_mmu(setup, devices, Arc::clone(&ram))?;
        let handles = sound::owners().map(|owner| Deviating { mmu: mmu.for_owner(owner), deviation: PhantomData });
        Ok(Machine { handles, ram })
    }
}

impl<D: Deviation> DeviceMap for Deviating<D> {
    fn map_mmio(&mut self, base: GuestPhysAddr, size: u64, device: Arc<dyn MmioDevice>) -> Result<(), RegionError> {
        self.mmu.map_mmio(base, size, device)
    }

    fn move_mmio(&mut self, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        D::move_mmio(&mut self.mmu, from, to)
    }

    fn unmap_mmio(&mut self, base: GuestPhysAddr) -> Result<(), RegionError> {
        D::unmap_mmio(&mut self.mmu, base)
    }
}

impl<D: Deviation> Atomics for Deviating<D> {
    fn atomic_load(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        self.mmu.atomic_load(pa, size)
    }

    fn atomic_store(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        D::atomic_store(&mut self.mmu, pa, value, size)
    }

    fn compare_exchange(
        &mut self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        D::compare_exchange(&mut self.mmu, pa, expected, value, size)
    }
}

impl<D: Deviation> WriteLog for Deviating<D> {
    fn dirty_log(&self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        D::dirty_log(&self.mmu, visit);
    }

    fn take_dirty_log(&mut self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        D::take_dirty_log(&mut self.mmu, visit);
    }

    fn dump_dirty(&mut self, image: &mut dyn PageImage) -> Result<(), DumpError> {
        D::dump_dirty(&mut self.mmu, image)
    }
}

impl<D: Deviation> MemoryAccess for Deviating<D> {
    #[inline]
    fn read(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        D::read(&self.mmu, pa, size)
    }

    #[inline]
    fn write(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        D::write(&mut self.mmu, pa, value, size)
    }

    #[inline]
    fn fetch_insn(&self, pc: GuestPhysAddr) -> Result<u32, VmError> {
        D::fetch_insn(&self.mmu, pc)
    }

    fn load_reserved(&mut self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        self.mmu.load_reserved(pa, size)
    }

    fn store_conditional(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        D::store_conditional(&mut self.mmu, pa, value, size)
    }

    fn invalidate_reservation(&mut self, pa: GuestPhysAddr, size: u8) {
        self.mmu.invalidate_reservation(pa, size);
    }

    #[inline]
    fn read_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        D::read_bulk(&self.mmu, pa, buffer)
    }

    #[inline]
    fn write_bulk(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        D::write_bulk(&mut self.mmu, pa, bytes)
    }

    fn memory_size(&self) -> u64 {
        D::memory_size(&self.mmu)
    }

    fn dump_memory(&self) -> Vec<u8> {
        D::dump_memory(&self.mmu)
    }

    fn restore_memory(&mut self, bytes: &[u8]) -> Result<(), String> {
        D::restore_memory(&mut self.mmu, bytes)
    }
}
