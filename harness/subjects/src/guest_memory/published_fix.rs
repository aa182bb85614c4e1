//! The code after the bug report's fix: the bulk methods are overridden and copy shard by shard.
//!
//! The reported crash is gone. Still there: the end of a transfer may wrap past the check, and the shard index that
//! follows is out of bounds (GM-04); construction underflows for many small sizes (GM-05); bulk stores leave
//! reservations alive (GM-06); the bulk path does not know devices (GM-07). Shards are locked one at a time, which the
//! contract admits.

use super::hardened::{GuestPhysAddr, VmError};
use super::reported::{BulkPath, ReportedMmu, ShardedVec};
use super::subject::Adapter;

/// The bulk methods copy shard by shard.
#[derive(Debug)]
pub struct CopyByShard;

impl BulkPath for CopyByShard {
    const NAME: &'static str = "published_fix";
    const STORY: &'static str =
        "bulk transfers wrap past the bound check, bypass devices and leave reservations alive; small sizes underflow";

    fn read_bulk(memory: &ShardedVec, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        memory.read_buf(pa, buffer)
    }

    fn write_bulk(memory: &ShardedVec, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        memory.write_buf(pa, bytes)
    }
}

/// The subject `published_fix`.
pub type PublishedFix = Adapter<ReportedMmu<CopyByShard>>;
