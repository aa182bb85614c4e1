//! The books of blocks with headers: who lives where, kept outside of the memory itself. Nothing here reads a header,
//! so nothing that a program writes can change what a pointer is.

use super::layout::{APART_BYTES, Windows, in_arenas, in_first_arena};
use memtwin_models::header_free::{Kind, Setup};

/// A live block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// What the program points to.
    pub user: u64,
    /// Where its memory begins; the header is between.
    pub low: u64,
    /// Where its memory ends.
    pub high: u64,
    /// What was asked for, in bytes.
    pub size: u64,
    /// Its kind.
    pub kind: Kind,
}

/// Some live blocks.
#[derive(Debug)]
pub struct Table {
    blocks: Vec<Block>,
}

impl Table {
    pub(super) fn new() -> Self {
        Table { blocks: Vec::with_capacity(256) }
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
    }

    pub(super) fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// The position of the block that begins at exactly this address.
    #[inline]
    pub(super) fn position(&self, pointer: u64) -> Option<usize> {
        self.blocks.iter().position(|block| block.user == pointer)
    }

    pub(super) fn get(&self, position: usize) -> Block {
        self.blocks[position]
    }

    pub(super) fn set_size(&mut self, position: usize, size: u64) {
        self.blocks[position].size = size;
    }

    pub(super) fn remove(&mut self, position: usize) {
        self.blocks.swap_remove(position);
    }

    /// Whether an address lies in the memory of a live block, header included.
    pub(super) fn covers(&self, address: u64) -> bool {
        self.blocks.iter().any(|block| block.low <= address && address < block.high)
    }
}

/// The windows of a kind, and which of them are in use.
#[derive(Debug)]
pub(super) struct Pool {
    windows: &'static Windows,
    used: u64,
}

impl Pool {
    pub(super) const fn new(windows: &'static Windows) -> Self {
        Pool { windows, used: 0 }
    }

    pub(super) const fn clear(&mut self) {
        self.used = 0;
    }

    /// The windows that are free, a bit for each.
    pub(super) const fn free(&self) -> u64 {
        !self.used & (u64::MAX >> (64 - self.windows.count))
    }

    /// The start of this window's memory, which is in use from here on.
    pub(super) const fn take(&mut self, setup: &Setup, index: u32) -> u64 {
        self.used |= 1 << index;
        let (place, further) = in_arenas(setup, index);
        self.windows.memory(place) + further
    }

    pub(super) const fn give(&mut self, setup: &Setup, memory: u64) {
        let place = self.windows.index_of(in_first_arena(setup, memory));
        let index = if setup.two_arenas { place * 2 + (APART_BYTES <= memory) as u32 } else { place };
        self.used &= !(1 << index);
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::MID;
    use super::*;

    #[test]
    fn windows_of_two_arenas_come_and_go() {
        for two_arenas in [false, true] {
            let setup = Setup { two_arenas, ..Setup::PRELOADED };
            let mut pool = Pool::new(&MID);
            let taken: Vec<u64> = (0..16).map(|_| pool.take(&setup, pool.free().trailing_zeros())).collect();
            assert_eq!(pool.free(), 0);
            assert_eq!(taken.iter().filter(|memory| APART_BYTES <= **memory).count(), if two_arenas { 8 } else { 0 });
            for (index, memory) in taken.iter().enumerate() {
                assert!(MID.contains(in_first_arena(&setup, *memory)), "{memory:#x}");
                pool.give(&setup, *memory);
                assert_eq!(pool.free(), (2 << index) - 1);
            }
        }
    }
}
