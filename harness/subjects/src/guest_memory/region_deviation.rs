//! The frame of a broken subject whose memory lies in regions: the hardened [`RegionMemory`] with the few methods
//! replaced that hold the defect.
//!
//! Does not combine defects, like [`super::deviation`]. Every method that a deviation does not name is the hardened
//! one.

use super::hardened::{AccessSize, DirtyLog, Exchanged, GuestPhysAddr, Memory, OwnerIndex, RegionMemory, VmError};
use super::sound;
use super::subject::Behind;
use memtwin_models::guest_memory::{GuestMemoryContract, Setup};
use memtwin_models::{Contract as _, Health, Unsupported};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// One defect: what differs from the hardened code.
pub trait RegionDeviation: Debug + Send + Sync + 'static {
    /// The name on the command line: the defect's id, where there is one.
    const NAME: &'static str = Self::HEALTH.id();
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;

    /// [`Memory::load`]
    fn load(memory: &RegionMemory, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        memory.load(pa, size)
    }

    /// [`Memory::load_bulk`]
    fn load_bulk(memory: &RegionMemory, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        memory.load_bulk(pa, buffer)
    }

    /// [`Memory::store_bulk`]
    fn store_bulk(memory: &RegionMemory, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError> {
        memory.store_bulk(pa, source)
    }
}

/// A [`RegionMemory`] with the defect `D`.
#[derive(Debug)]
pub struct WrongRegions<D> {
    memory: Arc<RegionMemory>,
    deviation: PhantomData<D>,
}

impl<D: RegionDeviation> Memory for WrongRegions<D> {
    fn load(&self, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        D::load(&self.memory, pa, size)
    }

    fn store(&self, pa: GuestPhysAddr, value: u64, size: AccessSize) -> Result<(), VmError> {
        self.memory.store(pa, value, size)
    }

    fn load_reserved(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        self.memory.load_reserved(owner, pa, size)
    }

    fn store_conditional(
        &self,
        owner: OwnerIndex,
        pa: GuestPhysAddr,
        value: u64,
        size: AccessSize,
    ) -> Result<bool, VmError> {
        self.memory.store_conditional(owner, pa, value, size)
    }

    fn compare_exchange(
        &self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: AccessSize,
    ) -> Result<Exchanged, VmError> {
        self.memory.compare_exchange(pa, expected, value, size)
    }

    fn invalidate_reservation(&self, pa: GuestPhysAddr, size: u8) {
        self.memory.invalidate_reservation(pa, size);
    }

    fn load_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        D::load_bulk(&self.memory, pa, buffer)
    }

    fn store_bulk(&self, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError> {
        D::store_bulk(&self.memory, pa, source)
    }

    fn size(&self) -> u64 {
        Memory::size(&*self.memory)
    }

    fn dump(&self) -> Vec<u8> {
        self.memory.dump()
    }

    fn restore(&self, source: &[u8]) -> Result<(), String> {
        self.memory.restore(source)
    }

    fn dirty_log(&self) -> Option<&DirtyLog> {
        self.memory.dirty_log()
    }
}

impl<D: RegionDeviation> Behind for WrongRegions<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract::STRICT;
    type Ram = Arc<RegionMemory>;

    fn build(setup: &Setup) -> Result<(Arc<Self>, Self::Ram), Unsupported> {
        let ram = sound::region_memory(setup)?;
        Ok((Arc::new(WrongRegions { memory: Arc::clone(&ram), deviation: PhantomData }), ram))
    }
}
