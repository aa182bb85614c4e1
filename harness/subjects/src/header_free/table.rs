//! The books of blocks with headers: who lives where, kept outside of the memory itself. Nothing here reads a header,
//! so nothing that a program writes can change what a pointer is.

use super::layout::Windows;
use memtwin_models::header_free::Kind;

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
    pub(super) windows: &'static Windows,
    used: u64,
}

impl Pool {
    pub(super) const fn new(windows: &'static Windows) -> Self {
        Pool { windows, used: 0 }
    }

    pub(super) const fn clear(&mut self) {
        self.used = 0;
    }

    /// The start of a window's memory, which is in use from here on.
    pub(super) fn take(&mut self) -> Option<u64> {
        let index = self.used.trailing_ones();
        if self.windows.count <= index {
            return None;
        }
        self.used |= 1 << index;
        Some(self.windows.memory(index))
    }

    pub(super) fn give(&mut self, memory: u64) {
        self.used &= !(1 << self.windows.index_of(memory));
    }
}
