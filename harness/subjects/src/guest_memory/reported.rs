//! The storage and the device wrapper of the bug report's project, as far as the report describes them: 16 shards, each
//! a vector behind a lock, and a wrapper that adds devices and alignment.
//!
//! [`super::original`] and [`super::published_fix`] differ in the bulk methods of the memory itself, which [`BulkPath`]
//! stands for. The wrapper has bulk methods of its own in both, so the reported crash needs a memory that is used
//! directly: a setup without devices and without strict alignment. Both are broken; what is here has the construction
//! that both had (GM-05). Range errors arrive as page faults, as the wrapper's documentation says.

use super::hardened::access::{AccessSize, Fault, GuestRange};
use super::hardened::mmio::{MmioMap, Route};
use super::hardened::physical::low_word;
use super::hardened::reservations::{Lines, Reservations};
use super::hardened::{GuestPhysAddr, MemoryAccess, MemoryError, OwnerIndex, VmError};
use super::recorded_devices::RecordedDevices;
use super::sound;
use super::subject::{Machine, Ram, Vcpu};
use memtwin_models::guest_memory::{GuestMemoryContract, Setup};
use memtwin_models::{Contract as _, Health, Unsupported};
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

const SHARDS: usize = 16;
/// Eager zeroing of more than this would dominate a campaign, in bytes.
const LARGEST_MEMORY_BYTES: u64 = 64 << 20;

/// The bytes of the last shard, computed as the project did: what the other shards of `ceil(size / 16)` bytes leave.
/// For many small sizes they leave less than nothing (GM-05).
pub(super) fn last_shard_size(size: u64) -> u64 {
    let before_last = (SHARDS as u64 - 1) * size.div_ceil(SHARDS as u64);
    size.checked_sub(before_last).expect("the shards before the last hold more than the whole memory")
}

/// Memory as 16 vectors.
#[derive(Debug)]
pub struct ShardedVec {
    shards: Vec<RwLock<Vec<u8>>>,
    shard_size: u64,
    size: u64,
    reservations: Reservations,
}

impl ShardedVec {
    fn new(size: u64) -> Self {
        let shard_size = size.div_ceil(SHARDS as u64);
        let shard = |bytes: u64| RwLock::new(vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)]);
        let mut shards: Vec<_> = (1..SHARDS).map(|_| shard(shard_size)).collect();
        shards.push(shard(last_shard_size(size)));
        ShardedVec { shards, shard_size, size, reservations: Reservations::new() }
    }

    fn check(&self, range: GuestRange) -> Result<(), VmError> {
        if range.end() <= self.size { Ok(()) } else { Err(range.invalid()) }
    }

    /// Copies a range that has been checked, shard by shard.
    fn copy_out(&self, range: GuestRange, target: &mut [u8]) {
        let mut rest = target;
        let mut address = range.start();
        while !rest.is_empty() {
            let (shard, offset) = self.place(address);
            let bytes = self.shards[shard].read().unwrap_or_else(PoisonError::into_inner);
            let length = rest.len().min(bytes.len() - offset);
            let (here, after) = rest.split_at_mut(length);
            here.copy_from_slice(&bytes[offset..offset + length]);
            rest = after;
            address += length as u64;
        }
    }

    /// Copies into a range that has been checked, shard by shard.
    fn copy_in(&self, range: GuestRange, source: &[u8]) {
        let mut rest = source;
        let mut address = range.start();
        while !rest.is_empty() {
            let (shard, offset) = self.place(address);
            let mut bytes = self.shards[shard].write().unwrap_or_else(PoisonError::into_inner);
            let length = rest.len().min(bytes.len() - offset);
            let (here, after) = rest.split_at(length);
            bytes[offset..offset + length].copy_from_slice(here);
            rest = after;
            address += length as u64;
        }
    }

    /// The project's bulk read: bounds are checked, by a sum that wraps for the last addresses, so that the small
    /// result passes (GM-04); then each shard is locked once and copied from.
    pub(super) fn read_buf(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        self.check_sum(pa, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let (shard, offset) = self.place(pa.get().wrapping_add(done as u64));
            let bytes = self.shards[shard].read().unwrap_or_else(PoisonError::into_inner);
            let length = (buffer.len() - done).min(bytes.len() - offset);
            buffer[done..done + length].copy_from_slice(&bytes[offset..offset + length]);
            done += length;
        }
        Ok(())
    }

    /// The project's bulk write. It knows no reservations (GM-06).
    pub(super) fn write_buf(&self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        self.check_sum(pa, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let (shard, offset) = self.place(pa.get().wrapping_add(done as u64));
            let mut target = self.shards[shard].write().unwrap_or_else(PoisonError::into_inner);
            let length = (bytes.len() - done).min(target.len() - offset);
            target[offset..offset + length].copy_from_slice(&bytes[done..done + length]);
            done += length;
        }
        Ok(())
    }

    fn check_sum(&self, pa: GuestPhysAddr, length: usize) -> Result<(), VmError> {
        if pa.get().wrapping_add(length as u64) > self.size {
            return Err(VmError::Memory(MemoryError::InvalidAddress(pa)));
        }
        Ok(())
    }

    /// Shard and offset of an address; the shard is not one of memory's when the address is not.
    fn place(&self, address: u64) -> (usize, usize) {
        let host_sized = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        (host_sized(address / self.shard_size), host_sized(address % self.shard_size))
    }

    fn load(&self, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        self.check(range)?;
        let mut bytes = [0; 8];
        self.copy_out(range, &mut bytes[..usize::from(size.bytes())]);
        Ok(u64::from_le_bytes(bytes))
    }

    fn store(&self, pa: GuestPhysAddr, value: u64, size: AccessSize) -> Result<(), VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        self.check(range)?;
        self.copy_in(range, &value.to_le_bytes()[..usize::from(size.bytes())]);
        self.reservations.kill(Lines::of(range));
        Ok(())
    }
}

impl Ram for Arc<ShardedVec> {
    fn size(&self) -> u64 {
        self.size
    }

    fn show(&self, address: u64, buffer: &mut [u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(GuestPhysAddr::new(address), buffer)?;
        self.check(range)?;
        self.copy_out(range, buffer);
        Ok(())
    }

    fn clear(&self, ranges: &[(u64, u32)]) -> Result<(), VmError> {
        for &(start, length) in ranges {
            let range = GuestRange::between(start, start.saturating_add(u64::from(length))).clipped_to(self.size);
            self.copy_in(range, &vec![0; usize::try_from(range.length()).unwrap_or(0)]);
            self.reservations.kill(Lines::of(range));
        }
        Ok(())
    }
}

/// The memory's own bulk methods in one generation of the project.
pub trait BulkPath {
    /// The subject's name.
    const NAME: &'static str;
    /// What is wrong, in a sentence.
    const STORY: &'static str;

    /// The bulk read.
    fn read_bulk(memory: &ShardedVec, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError>;
    /// The bulk write.
    fn write_bulk(memory: &ShardedVec, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError>;
}

/// The project's memory, used directly with the bulk methods of `B`, or behind the wrapper for devices and alignment.
#[derive(Debug)]
pub struct ReportedMmu<B> {
    memory: Arc<ShardedVec>,
    devices: MmioMap,
    strict_alignment: bool,
    /// Whether the wrapper is there, with bulk methods of its own.
    is_wrapped: bool,
    owner: OwnerIndex,
    bulk: PhantomData<B>,
}

impl<B: BulkPath> Vcpu for ReportedMmu<B> {
    const NAME: &'static str = B::NAME;
    const HEALTH: Health = Health::Broken { defect: None, story: B::STORY };
    const CONTRACT: GuestMemoryContract = GuestMemoryContract {
        range_error_is_page_fault: true,
        failed_sc_keeps: true,
        flat_ram: true,
        fixed_devices: true,
        no_atomics: true,
        no_dirty_log: true,
        torn_bulk: true,
        largest_memory_bytes: LARGEST_MEMORY_BYTES,
        ..GuestMemoryContract::STRICT
    };
    const REUSABLE: bool = false;
    type Ram = Arc<ShardedVec>;

    fn build(setup: &Setup, devices: &Arc<RecordedDevices>) -> Result<Machine<Self>, Unsupported> {
        let mut map = MmioMap::default();
        for (index, device) in setup.devices.iter().enumerate() {
            let base = GuestPhysAddr::new(device.base);
            map.insert(base, u64::from(device.size), Arc::new(devices.device(index))).map_err(sound::unmappable)?;
        }
        let ram = Arc::new(ShardedVec::new(setup.memory_size));
        let handles = sound::owners().map(|owner| ReportedMmu {
            memory: Arc::clone(&ram),
            devices: map.clone(),
            strict_alignment: setup.strict_alignment,
            is_wrapped: setup.strict_alignment || !setup.devices.is_empty(),
            owner,
            bulk: PhantomData,
        });
        Ok(Machine { handles, ram })
    }
}

impl<B> ReportedMmu<B> {
    fn route(&self, pa: GuestPhysAddr, size: u8) -> Result<(AccessSize, Route<'_>), VmError> {
        let access = AccessSize::try_new(pa, size)?;
        let range = GuestRange::of_scalar(pa, access).map_err(page_fault)?;
        if self.strict_alignment && !pa.get().is_multiple_of(u64::from(size)) {
            return Err(VmError::Fault(Fault::AlignmentFault { pa, size }));
        }
        Ok((access, self.devices.route(range)?))
    }

    fn route_reservable(&self, pa: GuestPhysAddr, size: u8) -> Result<AccessSize, VmError> {
        match self.route(pa, size)? {
            (size, Route::Memory) => Ok(size),
            (_, Route::Device(..)) => Err(VmError::Memory(MemoryError::ReservationOnDevice(pa))),
        }
    }
}

/// Range errors as the wrapper reports them.
const fn page_fault(error: VmError) -> VmError {
    match error {
        VmError::Memory(MemoryError::InvalidAddress(pa)) => VmError::Fault(Fault::PageFault(pa)),
        VmError::Memory(_) | VmError::Fault(_) | VmError::Device(_) => error,
    }
}

impl<B: BulkPath> MemoryAccess for ReportedMmu<B> {
    fn read(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        match self.route(pa, size)? {
            (size, Route::Memory) => self.memory.load(pa, size).map_err(page_fault),
            (size, Route::Device(region, offset)) => region.load(offset, size),
        }
    }

    fn write(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        match self.route(pa, size)? {
            (size, Route::Memory) => self.memory.store(pa, value, size).map_err(page_fault),
            (size, Route::Device(region, offset)) => region.store(offset, value, size),
        }
    }

    fn fetch_insn(&self, pc: GuestPhysAddr) -> Result<u32, VmError> {
        self.read(pc, AccessSize::Word.bytes()).map(low_word)
    }

    fn load_reserved(&mut self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        let size = self.route_reservable(pa, size)?;
        let value = self.memory.load(pa, size).map_err(page_fault)?;
        self.memory.reservations.reserve(self.owner, pa, size);
        Ok(value)
    }

    fn store_conditional(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let size = self.route_reservable(pa, size)?;
        let range = GuestRange::of_scalar(pa, size)?;
        self.memory.check(range).map_err(page_fault)?;
        // As the project has it: one that fails leaves the reservation.
        if !self.memory.reservations.holds(self.owner, pa, size) {
            return Ok(false);
        }
        let store = || self.memory.copy_in(range, &value.to_le_bytes()[..usize::from(size.bytes())]);
        Ok(self.memory.reservations.store_if_live(self.owner, pa, size, Lines::of(range), store))
    }

    fn invalidate_reservation(&mut self, pa: GuestPhysAddr, size: u8) {
        self.memory.reservations.kill(Lines::spanning(pa, u64::from(size)));
    }

    fn read_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let read =
            if self.is_wrapped { self.memory.read_buf(pa, buffer) } else { B::read_bulk(&self.memory, pa, buffer) };
        read.map_err(page_fault)
    }

    fn write_bulk(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let wrote =
            if self.is_wrapped { self.memory.write_buf(pa, bytes) } else { B::write_bulk(&self.memory, pa, bytes) };
        wrote.map_err(page_fault)
    }

    fn memory_size(&self) -> u64 {
        self.memory.size
    }

    fn dump_memory(&self) -> Vec<u8> {
        let mut dump = vec![0; usize::try_from(self.memory.size).unwrap_or(0)];
        self.memory.copy_out(GuestRange::up_to(self.memory.size), &mut dump);
        dump
    }

    fn restore_memory(&mut self, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() as u64 != self.memory.size {
            return Err(format!("cannot restore {} bytes into a memory of {} bytes", bytes.len(), self.memory.size));
        }
        self.memory.copy_in(GuestRange::up_to(self.memory.size), bytes);
        self.memory.reservations.kill_all();
        Ok(())
    }
}
