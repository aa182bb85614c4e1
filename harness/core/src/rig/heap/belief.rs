//! What the generator believes of the blocks that its ops lead to, in order to aim at what is left. It sees no
//! answer, so it may be wrong.

use memtwin_models::heap::{SLOTS, Slot};

/// The bytes that are believed to be live.
#[derive(Debug, Clone)]
pub(super) struct Belief {
    /// The size of each slot's block; 0 for none.
    sizes: Box<[u32; SLOTS as usize]>,
    /// The slots from 0 on that any block was put into.
    used: usize,
    live_bytes: u64,
}

impl Belief {
    pub(super) fn new() -> Self {
        Belief { sizes: Box::new([0; SLOTS as usize]), used: 0, live_bytes: 0 }
    }

    /// Nothing is live.
    pub(super) fn clear(&mut self) {
        self.sizes[..self.used].fill(0);
        (self.used, self.live_bytes) = (0, 0);
    }

    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Whether a slot's block has at least so many bytes.
    #[inline]
    pub(super) fn holds(&self, slot: Slot, bytes: u32) -> bool {
        bytes <= self.sizes[slot.index()]
    }

    #[inline]
    pub(super) fn free(&mut self, slot: Slot) {
        let size = std::mem::take(&mut self.sizes[slot.index()]);
        self.live_bytes -= u64::from(size);
    }

    /// A block of so many bytes is in a slot, instead of what was there.
    #[inline]
    pub(super) fn put(&mut self, slot: Slot, bytes: u64) {
        self.free(slot);
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.sizes[slot.index()] = size;
        self.live_bytes += u64::from(size);
        self.used = self.used.max(slot.index() + 1);
    }

    /// Blocks of so many bytes are in the empty ones of so many slots.
    pub(super) fn fill(&mut self, first: Slot, count: u8, bytes: u64, room: u64) {
        for slot in (0..u16::from(count.max(1))).map(|distance| first.after(distance)) {
            if room < self.live_bytes + bytes {
                return;
            }
            if !self.holds(slot, 1) {
                self.put(slot, bytes);
            }
        }
    }

    /// Every so many-th block in so many slots is freed.
    pub(super) fn drain(&mut self, first: Slot, count: u8, every: u8) {
        let mut met = 0;
        for slot in (0..u16::from(count.max(1))).map(|distance| first.after(distance)) {
            if self.holds(slot, 1) {
                if met % u32::from(every.max(1)) == 0 {
                    self.free(slot);
                }
                met += 1;
            }
        }
    }
}
