//! GM-14: an 8-byte access across a shard border drops its high part.
//!
//! Only the bytes in the first shard are read or written; the read shows zeros for the rest.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::{AccessSize, GuestRange};
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, MemoryAccess, PhysicalMemory, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm14;

impl Deviation for Gm14 {
    const HEALTH: Health =
        Health::defect("GM-14", "an 8-byte access across a shard border handles only the bytes before the border");

    fn read(mmu: &SoftMmu, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        let value = mmu.read(pa, size)?;
        match mmu.route_scalar(pa, size)? {
            (AccessSize::Double, Route::Memory) => {
                let mut bytes = value.to_le_bytes();
                bytes[before_border(mmu.memory(), pa)..].fill(0);
                Ok(u64::from_le_bytes(bytes))
            }
            _ => Ok(value),
        }
    }

    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        match mmu.route_scalar(pa, size)? {
            (AccessSize::Double, Route::Memory) => {
                let range = GuestRange::of_scalar(pa, AccessSize::Double)?;
                mmu.memory().bytes.write(range, |bytes| {
                    let length = before_border(mmu.memory(), pa);
                    bytes[..length].copy_from_slice(&value.to_le_bytes()[..length]);
                    mmu.memory().stored(range);
                })
            }
            _ => mmu.write(pa, value, size),
        }
    }
}

/// How many of the 8 bytes at `pa` are in its shard.
fn before_border(memory: &PhysicalMemory, pa: GuestPhysAddr) -> usize {
    let shard_size = memory.shard_size().max(1);
    usize::try_from(shard_size - pa.get() % shard_size).map_or(8, |bytes| bytes.min(8))
}
