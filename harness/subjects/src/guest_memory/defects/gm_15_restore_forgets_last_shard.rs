//! GM-15: a restore forgets the last, short shard.
//!
//! It goes over the whole shards of the saved bytes. When the size is no multiple of the shard size, the rest stays as
//! it was.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{MemoryAccess, SoftMmu};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm15;

impl Deviation for Gm15 {
    const HEALTH: Health =
        Health::defect("GM-15", "a restore leaves the last shard as it was when that shard is shorter than the others");

    fn restore_memory(mmu: &mut SoftMmu, bytes: &[u8]) -> Result<(), String> {
        let mut restored = bytes.to_vec();
        if bytes.len() as u64 == mmu.memory_size() {
            let before = mmu.dump_memory();
            let shard_size = usize::try_from(mmu.memory().shard_size()).map_or(1, |bytes| bytes.max(1));
            let whole_shards = bytes.len() - bytes.len() % shard_size;
            restored[whole_shards..].copy_from_slice(&before[whole_shards..]);
        }
        mmu.restore_memory(&restored)
    }
}
