//! The code after the bug report's fix: the bulk methods are overridden and copy shard by shard.
//!
//! The reported crash is gone. Still there: the end of a transfer may wrap past the check, and the shard index that
//! follows is out of bounds (GM-04); construction underflows for many small sizes (GM-05); bulk stores leave
//! reservations alive (GM-06); the bulk path does not know devices (GM-07). Shards are locked one at a time, which the
//! contract admits.

use super::hardened::{GuestPhysAddr, MemoryError, VmError};
use super::reported::{BulkPath, ReportedMmu, ShardedVec};
use super::subject::Adapter;
use std::sync::PoisonError;

/// The bulk methods copy shard by shard.
#[derive(Debug)]
pub struct CopyByShard;

impl BulkPath for CopyByShard {
    const NAME: &'static str = "published_fix";
    const STORY: &'static str =
        "bulk transfers wrap past the bound check, bypass devices and leave reservations alive; small sizes underflow";

    fn read_bulk(memory: &ShardedVec, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        check(memory, pa, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let (shard, offset) = memory.place(pa.get().wrapping_add(done as u64));
            let bytes = memory.shards[shard].read().unwrap_or_else(PoisonError::into_inner);
            let length = (buffer.len() - done).min(bytes.len() - offset);
            buffer[done..done + length].copy_from_slice(&bytes[offset..offset + length]);
            done += length;
        }
        Ok(())
    }

    fn write_bulk(memory: &ShardedVec, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        check(memory, pa, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let (shard, offset) = memory.place(pa.get().wrapping_add(done as u64));
            let mut target = memory.shards[shard].write().unwrap_or_else(PoisonError::into_inner);
            let length = (bytes.len() - done).min(target.len() - offset);
            target[offset..offset + length].copy_from_slice(&bytes[done..done + length]);
            done += length;
        }
        Ok(())
    }
}

/// The bound check of the fix: the sum wraps for the last addresses, and the small result passes (GM-04).
fn check(memory: &ShardedVec, pa: GuestPhysAddr, length: usize) -> Result<(), VmError> {
    if pa.get().wrapping_add(length as u64) > memory.size {
        return Err(VmError::Memory(MemoryError::InvalidAddress(pa)));
    }
    Ok(())
}

/// The subject `published_fix`.
pub type PublishedFix = Adapter<ReportedMmu<CopyByShard>>;
