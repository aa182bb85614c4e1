//! The program's variables. They know where blocks lie and what the program wrote there, and do nothing about it.

use crate::allocator::Live;
use memtwin_models::heap::{SLOTS, Slot};
use std::ptr;

/// A variable that holds a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// Null where it holds none.
    pub(crate) block: *mut u8,
    pub(crate) size: usize,
    pub(crate) align: usize,
    /// What the program knows to be its own.
    pub(crate) granted: usize,
    /// What it pushed, as a growing buffer.
    pub(crate) length: usize,
    /// The first bytes that it wrote.
    pub(crate) head: usize,
    /// The last bytes that it wrote: where they begin and how many they are.
    pub(crate) tail: (usize, usize),
    /// Its place in the list, plus one.
    place: u16,
}

impl Held {
    const EMPTY: Held =
        Held { block: ptr::null_mut(), size: 0, align: 1, granted: 0, length: 0, head: 0, tail: (0, 0), place: 0 };

    #[inline]
    pub(crate) fn live(&self) -> Live {
        Live { block: self.block, size: self.size, align: self.align }
    }
}

/// All variables.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Box<[Held]>,
    live: Vec<Slot>,
    live_bytes: u64,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Slots { slots: vec![Held::EMPTY; SLOTS.into()].into(), live: Vec::with_capacity(SLOTS.into()), live_bytes: 0 }
    }

    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<Held> {
        Some(self.slots[slot.index()]).filter(|held| held.place != 0)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut Held {
        &mut self.slots[slot.index()]
    }

    #[inline]
    pub(crate) fn put(&mut self, slot: Slot, block: *mut u8, size: usize, align: usize) {
        self.live.push(slot);
        #[allow(clippy::cast_possible_truncation)] // at most 4096 slots
        let place = self.live.len() as u16;
        self.live_bytes = self.live_bytes.saturating_add(size as u64);
        self.slots[slot.index()] = Held { block, size, align, granted: size, place, ..Held::EMPTY };
    }

    #[inline]
    pub(crate) fn take(&mut self, slot: Slot) -> Option<Held> {
        let held = self.get(slot)?;
        self.slots[slot.index()] = Held::EMPTY;
        let place = usize::from(held.place) - 1;
        self.live_bytes = self.live_bytes.saturating_sub(held.size as u64);
        self.live.swap_remove(place);
        if let Some(moved) = self.live.get(place) {
            self.slots[moved.index()].place = held.place;
        }
        Some(held)
    }

    /// A block has another place, size and alignment.
    pub(crate) fn change(&mut self, slot: Slot, block: *mut u8, size: usize, align: usize) {
        let held = &mut self.slots[slot.index()];
        self.live_bytes = self.live_bytes.saturating_sub(held.size as u64).saturating_add(size as u64);
        (held.block, held.size, held.granted, held.align) = (block, size, size, align);
    }

    /// What the blocks come to, in bytes.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// The slots that hold blocks, in no order.
    pub(crate) fn live(&self) -> &[Slot] {
        &self.live
    }

    pub(crate) fn clear(&mut self) {
        self.live_bytes = 0;
        for slot in self.live.drain(..) {
            self.slots[slot.index()] = Held::EMPTY;
        }
    }
}
