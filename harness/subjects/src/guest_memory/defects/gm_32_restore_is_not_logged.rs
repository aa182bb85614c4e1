//! GM-32: a restore marks no page as written.
//!
//! It replaces all bytes behind the log's back. The next dump of written pages is a diff to a memory that is gone.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{MemoryAccess as _, SoftMmu};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm32;

impl Deviation for Gm32 {
    const HEALTH: Health = Health::defect("GM-32", "a restore replaces all bytes and marks no page as written");

    fn restore_memory(mmu: &mut SoftMmu, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() as u64 != mmu.memory_size() {
            return mmu.restore_memory(bytes);
        }
        let restored = mmu.memory().bytes.write(mmu.memory().bytes.whole(), |memory| {
            memory.copy_from_slice(bytes);
            mmu.memory().reservations.kill_all();
        });
        restored.map_err(|error| error.to_string())
    }
}
