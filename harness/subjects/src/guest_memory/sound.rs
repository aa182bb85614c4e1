//! The hardened memory under test: [`PhysicalMemory`] alone and behind a [`SoftMmu`], [`RegionMemory`] behind one.
//!
//! Nothing is claimed for them that the strict contract does not demand, except that physical memory is one range, and
//! that memory alone has no devices.

use super::hardened::{
    Alignment, Atomics, GuestPhysAddr, LayoutError, MmioDevice, OwnerIndex, PhysicalHandle, PhysicalMemory,
    RegionError, RegionMemory, SoftMmu, WriteLog,
};
use super::recorded_devices::RecordedDevices;
use super::subject::{Behind, DeviceMap, Machine, Vcpu};
use memtwin_models::guest_memory::{GuestMemoryContract, OWNERS, Setup};
use memtwin_models::{Contract as _, Health, Unsupported};
use std::sync::Arc;

impl Vcpu for PhysicalHandle {
    const NAME: &'static str = "physical_memory";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract {
        flat_ram: true,
        no_devices: true,
        no_strict_alignment: true,
        ..GuestMemoryContract::STRICT
    };
    const REUSABLE: bool = true;
    type Ram = Arc<PhysicalMemory>;

    fn atomics(&mut self) -> Option<&mut dyn Atomics> {
        Some(self)
    }

    fn write_log(&mut self) -> Option<&mut dyn WriteLog> {
        Some(self)
    }

    fn build(setup: &Setup, _devices: &Arc<RecordedDevices>) -> Result<Machine<Self>, Unsupported> {
        let ram = lazy_memory(setup, setup.memory_size)?;
        let handles = owners().map(|owner| PhysicalHandle::new(Arc::clone(&ram), owner));
        Ok(Machine { handles, ram })
    }
}

impl<M: Behind> Vcpu for SoftMmu<M> {
    const NAME: &'static str = M::NAME;
    const HEALTH: Health = M::HEALTH;
    const CONTRACT: GuestMemoryContract = M::CONTRACT;
    const REUSABLE: bool = true;
    type Ram = M::Ram;

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
        let (memory, ram) = M::build(setup)?;
        let mmu = soft_mmu(setup, devices, memory)?;
        Ok(Machine { handles: owners().map(|owner| mmu.for_owner(owner)), ram })
    }
}

impl<M> DeviceMap for SoftMmu<M> {
    fn map_mmio(&mut self, base: GuestPhysAddr, size: u64, device: Arc<dyn MmioDevice>) -> Result<(), RegionError> {
        self.map_mmio(base, size, device)
    }

    fn move_mmio(&mut self, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        self.move_mmio(from, to)
    }

    fn unmap_mmio(&mut self, base: GuestPhysAddr) -> Result<(), RegionError> {
        self.unmap_mmio(base)
    }
}

impl Behind for PhysicalMemory {
    const NAME: &'static str = "soft_mmu";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };
    type Ram = Arc<PhysicalMemory>;

    fn build(setup: &Setup) -> Result<(Arc<Self>, Self::Ram), Unsupported> {
        let ram = lazy_memory(setup, setup.memory_size)?;
        Ok((Arc::clone(&ram), ram))
    }
}

impl Behind for RegionMemory {
    const NAME: &'static str = "region_memory";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract::STRICT;
    type Ram = Arc<RegionMemory>;

    fn build(setup: &Setup) -> Result<(Arc<Self>, Self::Ram), Unsupported> {
        let ram = region_memory(setup)?;
        Ok((Arc::clone(&ram), ram))
    }
}

/// Hardened memory in the setup's ranges.
pub(crate) fn region_memory(setup: &Setup) -> Result<Arc<RegionMemory>, Unsupported> {
    let flat = setup.is_flat().then_some((GuestPhysAddr::new(0), setup.memory_size));
    let ranges = setup.ram.iter().map(|range| (GuestPhysAddr::new(range.base), range.bytes));
    let memory = RegionMemory::new(flat.into_iter().chain(ranges)).map_err(|error| {
        Unsupported(match error {
            LayoutError::Wraps => "a range of RAM wraps the address space",
            LayoutError::Overlaps => "two ranges of RAM overlap",
            LayoutError::Refused(_) => "the host refuses the address space for a memory of this size",
        })
    })?;
    Ok(Arc::new(if setup.dirty_log.is_some() { memory.with_dirty_log() } else { memory }))
}

/// The owners of a setup's handles.
pub(crate) fn owners() -> [OwnerIndex; OWNERS as usize] {
    let mut next = 0;
    [(); OWNERS as usize].map(|()| {
        next += 1;
        OwnerIndex(next - 1)
    })
}

/// Hardened memory of `size_bytes` bytes, with a log if the setup has one.
pub(crate) fn lazy_memory(setup: &Setup, size_bytes: u64) -> Result<Arc<PhysicalMemory>, Unsupported> {
    let refused = |_| Unsupported("the host refuses the address space for a memory of this size");
    PhysicalMemory::new(size_bytes).map(|memory| logged(setup, memory)).map_err(refused)
}

/// The memory with a log if the setup has one.
pub(crate) fn logged(setup: &Setup, memory: PhysicalMemory) -> Arc<PhysicalMemory> {
    Arc::new(if setup.dirty_log.is_some() { memory.with_dirty_log() } else { memory })
}

/// The hardened view of the first owner, with the setup's devices.
pub(crate) fn soft_mmu<M>(
    setup: &Setup,
    devices: &Arc<RecordedDevices>,
    ram: Arc<M>,
) -> Result<SoftMmu<M>, Unsupported> {
    let alignment = if setup.strict_alignment { Alignment::Strict } else { Alignment::Any };
    let mut mmu = SoftMmu::new(ram, OwnerIndex(0), alignment);
    for (index, device) in setup.devices.iter().enumerate() {
        mmu.map_mmio(GuestPhysAddr::new(device.base), u64::from(device.size), Arc::new(devices.device(index)))
            .map_err(unmappable)?;
    }
    Ok(mmu)
}

pub(crate) const fn unmappable(error: RegionError) -> Unsupported {
    Unsupported(match error {
        RegionError::Empty => "a device region has no bytes",
        RegionError::Wraps => "a device region wraps the address space",
        RegionError::Overlaps => "two device regions overlap",
        RegionError::Unmapped => "a device region is not mapped",
    })
}
