//! Bytes of blocks that the program looked at, block by block. It compares nothing.

use super::operands::{SLOTS, Slot};

/// Bytes of a block that the program looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The block's slot.
    pub slot: Slot,
    /// Where in the block they begin.
    pub offset: u64,
    /// How many there are.
    pub length: u32,
}

/// Windows and their bytes, in order, in room that is made once.
#[derive(Debug)]
pub struct Shown {
    windows: Vec<Window>,
    bytes: Box<[u8]>,
    used: usize,
}

impl Shown {
    pub(super) fn with_room(bytes: usize) -> Self {
        Shown { windows: Vec::with_capacity(2 * usize::from(SLOTS)), bytes: vec![0; bytes].into(), used: 0 }
    }

    /// Forgets everything.
    #[inline]
    pub fn clear(&mut self) {
        self.windows.clear();
        self.used = 0;
    }

    /// Where the program puts the bytes of a window; empty when there is no more room, and then the window is not
    /// shown.
    #[inline]
    pub fn room(&mut self, window: Window) -> &mut [u8] {
        let end = self.used + window.length as usize;
        if self.windows.len() == self.windows.capacity() || self.bytes.len() < end {
            return &mut [];
        }
        self.windows.push(window);
        let bytes = &mut self.bytes[self.used..end];
        self.used = end;
        bytes
    }

    /// The windows with their bytes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Window, &[u8])> {
        let mut rest = &self.bytes[..self.used];
        self.windows.iter().map(move |window| {
            let (bytes, after) = rest.split_at((window.length as usize).min(rest.len()));
            rest = after;
            (*window, bytes)
        })
    }
}
