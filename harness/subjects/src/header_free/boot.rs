//! The static pool that serves before the allocator is up, as `dlsym` needs it while an interposed allocator looks for
//! the real one. Its room is never used again. Does not serve what is larger than a cell.

use super::layout::BOOT;
use memtwin_models::header_free::BOOT_LIMIT_BYTES;

/// The pool.
#[derive(Debug, Default)]
pub(super) struct Boot {
    taken: u32,
    /// A bit for each cell that the program has.
    live: u32,
}

impl Boot {
    pub(super) fn reset(&mut self) {
        *self = Boot::default();
    }

    /// A block; null as `None`.
    pub(super) fn alloc(&mut self, size: u64) -> Option<u64> {
        if BOOT_LIMIT_BYTES < size || BOOT.count <= self.taken {
            return None;
        }
        self.live |= 1 << self.taken;
        self.taken += 1;
        Some(BOOT.memory(self.taken - 1))
    }

    /// The bytes of the live block that begins at exactly this address.
    pub(super) fn usable_bytes(&self, pointer: u64) -> Option<u64> {
        let cell = BOOT.contains(pointer).then(|| BOOT.index_of(pointer))?;
        let is_live = self.live >> cell & 1 != 0 && BOOT.memory(cell) == pointer;
        is_live.then_some(BOOT.bytes)
    }

    /// The program gives the live block that begins here up.
    pub(super) fn forget(&mut self, pointer: u64) {
        self.live &= !(1 << BOOT.index_of(pointer));
    }
}
