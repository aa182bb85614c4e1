//! What each directory maps in the user half, and how many tables that takes. Does not know frames beyond their
//! numbers.

use super::super::mmu::{COPY_ON_WRITE, USER, WRITABLE};
use super::super::setup::KERNEL_HALF;

/// A mapped page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) address: u32,
    /// The frame's number.
    pub(super) frame: u32,
    /// As in its entry: writable, user, cache bits, copy-on-write.
    pub(super) flags: u32,
}

impl Page {
    pub(super) fn is_writable(&self) -> bool {
        self.flags & WRITABLE != 0
    }

    pub(super) fn is_user(&self) -> bool {
        self.flags & USER != 0
    }

    pub(super) fn is_shared(&self) -> bool {
        self.flags & COPY_ON_WRITE != 0
    }

    /// The flags that it has when the copy is made.
    pub(super) fn unshared_flags(&self) -> u32 {
        self.flags & !COPY_ON_WRITE | WRITABLE
    }
}

const DIRECTORY_ENTRIES: usize = (KERNEL_HALF >> 22) as usize;

/// What is known of the table of a window of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum WindowTable {
    /// It was never needed.
    #[default]
    Absent,
    /// An op that needs it has failed, before or after it was made.
    Possible,
    /// An op that needs it was done.
    Present,
}

/// A directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Space {
    pub(super) is_live: bool,
    /// Whether its own window has a table (private windows only).
    pub(super) window: WindowTable,
    /// In the order of their addresses.
    pages: Vec<Page>,
    /// Directory entries that have a table: made on demand, kept as long as the directory.
    tables: [u64; DIRECTORY_ENTRIES / 64],
}

impl Space {
    pub(super) fn clear(&mut self) {
        if self.is_live {
            self.pages.clear();
            self.tables = [0; DIRECTORY_ENTRIES / 64];
        }
        (self.is_live, self.window) = (false, WindowTable::Absent);
    }

    pub(super) fn pages(&self) -> &[Page] {
        &self.pages
    }

    #[inline]
    pub(super) fn page(&self, address: u32) -> Option<&Page> {
        self.pages.binary_search_by_key(&address, |page| page.address).ok().map(|at| &self.pages[at])
    }

    #[inline]
    pub(super) fn page_mut(&mut self, address: u32) -> Option<&mut Page> {
        let at = self.pages.binary_search_by_key(&address, |page| page.address).ok()?;
        Some(&mut self.pages[at])
    }

    pub(super) fn has_table(&self, address: u32) -> bool {
        let index = (address >> 22) as usize;
        self.tables.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 != 0)
    }

    pub(super) fn table_count(&self) -> u32 {
        self.tables.iter().map(|word| word.count_ones()).sum()
    }

    pub(super) fn insert(&mut self, page: Page) {
        let index = (page.address >> 22) as usize;
        if let Some(word) = self.tables.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
        if let Err(at) = self.pages.binary_search_by_key(&page.address, |page| page.address) {
            self.pages.insert(at, page);
        }
    }

    pub(super) fn remove(&mut self, address: u32) -> Option<Page> {
        let at = self.pages.binary_search_by_key(&address, |page| page.address).ok()?;
        Some(self.pages.remove(at))
    }

    /// Becomes a process whose writable pages are shared with the parent, which marks its own as well.
    pub(super) fn fork_from(&mut self, parent: &mut Space) {
        for page in parent.pages.iter_mut().filter(|page| page.is_writable()) {
            page.flags = page.flags & !WRITABLE | COPY_ON_WRITE;
        }
        self.clear();
        self.is_live = true;
        self.pages.extend_from_slice(&parent.pages);
        self.tables = parent.tables;
    }
}
