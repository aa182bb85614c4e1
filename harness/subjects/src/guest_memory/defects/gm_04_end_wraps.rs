//! GM-04: the end of a bulk transfer wraps past the bound check.
//!
//! `address + length` is computed modulo 2^64. Near the last address the sum is small and passes; the shard index
//! computed from the address is then far beyond the shards, and indexing with it panics.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::shards::SHARDS;
use crate::guest_memory::hardened::{GuestPhysAddr, MemoryAccess, MemoryError, PhysicalMemory, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm04;

impl Deviation for Gm04 {
    const HEALTH: Health = Health::defect(
        "GM-04",
        "the end of a bulk transfer wraps past the bound check, and a shard index is out of bounds",
    );

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        check(mmu.memory(), pa, buffer.len())?;
        mmu.read_bulk(pa, buffer)
    }

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        check(mmu.memory(), pa, bytes.len())?;
        mmu.write_bulk(pa, bytes)
    }
}

/// Lets transfers that do not wrap pass to the hardened checks; those that do are checked with the wrapped end.
fn check(memory: &PhysicalMemory, pa: GuestPhysAddr, length: usize) -> Result<(), VmError> {
    let (end, wraps) = pa.get().overflowing_add(length as u64);
    if !wraps {
        return Ok(());
    }
    if end > memory.size() {
        return Err(VmError::Memory(MemoryError::InvalidAddress(pa)));
    }
    let shard_ends: [u64; SHARDS] = std::array::from_fn(|shard| (shard as u64 + 1) * memory.shard_size());
    let shard = usize::try_from(pa.get() / memory.shard_size().max(1)).unwrap_or(usize::MAX);
    assert!(pa.get() < shard_ends[shard], "the address is beyond its shard");
    Ok(())
}
