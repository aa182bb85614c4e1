//! Whether a new block overlaps a live one: bits first, and the blocks themselves where a bit says that one is near.

use super::super::operands::Slot;
use super::blocks::Blocks;
use super::occupied::{LARGE_BYTES, Occupied};

/// The memory that live blocks take.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    occupied: Occupied,
    /// Live blocks that are too large for bits.
    large: usize,
    /// Live blocks that do not begin at a multiple of 8: another block may end in the same 8 bytes.
    odd: usize,
}

impl Marks {
    pub(super) fn new() -> Self {
        Marks { occupied: Occupied::new(), large: 0, odd: 0 }
    }

    /// Forgets the live blocks.
    pub(super) fn reset(&mut self, blocks: &Blocks) {
        for (_, block) in blocks.iter().filter(|(_, block)| !is_large(block.address, block.end())) {
            self.occupied.give(block.address, block.end().max(block.address + 1));
        }
        self.occupied.reset();
        (self.large, self.odd) = (0, 0);
    }

    /// Marks a block; the address of the live block, other than the moving one, that it overlaps.
    #[inline]
    pub(super) fn take(&mut self, blocks: &Blocks, moving: Option<Slot>, address: u64, end: u64) -> Option<u64> {
        let is_large = is_large(address, end);
        self.large += usize::from(is_large);
        self.odd += usize::from(!address.is_multiple_of(8));
        let is_near = if is_large { true } else { self.occupied.take(address, end.max(address + 1)) };
        if is_near || self.large != 0 { blocks.overlapping(moving, address, end) } else { None }
    }

    /// The block of a slot is about to have another place.
    pub(super) fn leave(&mut self, blocks: &Blocks, slot: Slot, address: u64, end: u64) {
        self.unmark(address, end);
        self.mark_shared(blocks, Some(slot), address, end);
    }

    /// Takes the marks of a block away that is live no more.
    #[inline]
    pub(super) fn give(&mut self, blocks: &Blocks, address: u64, end: u64) {
        self.unmark(address, end);
        self.mark_shared(blocks, None, address, end);
    }

    #[inline]
    fn unmark(&mut self, address: u64, end: u64) {
        let is_large = is_large(address, end);
        self.large -= usize::from(is_large);
        self.odd -= usize::from(!address.is_multiple_of(8));
        if !is_large {
            self.occupied.give(address, end.max(address + 1));
        }
    }

    /// Marks again what neighbours have of the 8 bytes at either end.
    #[inline]
    fn mark_shared(&mut self, blocks: &Blocks, but: Option<Slot>, address: u64, end: u64) {
        if self.odd == 0 && address.is_multiple_of(8) {
            return;
        }
        let (low, high) = (address & !7, end.max(address + 1).next_multiple_of(8));
        for (slot, block) in blocks.iter() {
            if but != Some(slot) && block.address < high && low < block.end() && !is_large(block.address, block.end()) {
                self.occupied.take(block.address, block.end().max(block.address + 1));
            }
        }
    }
}

const fn is_large(address: u64, end: u64) -> bool {
    LARGE_BYTES <= end.saturating_sub(address)
}
