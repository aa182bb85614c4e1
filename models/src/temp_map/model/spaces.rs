//! What each directory maps in the user half, and how many tables that takes, at most and at least. Does not know
//! frames beyond their numbers.

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

/// What is known of a table that is made on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Table {
    /// It was never needed.
    #[default]
    Absent,
    /// Of a window of its own: an op that needs it has failed, before or after it was made. Of user pages: there is no
    /// page below it any more, or a fork found none there.
    Possible,
    /// Something is mapped in it, or was in a window of its own.
    Present,
}

/// A directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Space {
    pub(super) is_live: bool,
    /// Whether its own window has a table (private windows only).
    pub(super) window: Table,
    /// In the order of their addresses.
    pages: Vec<Page>,
    /// Directory entries that may have a table: a page lies below them, or did once, or did so in the parent.
    tables: Tables,
    /// Those of them that must have one: a page lies below them.
    full_tables: Tables,
    /// How many there are of both.
    most_tables: u32,
    fewest_tables: u32,
}

/// Directory entries of the user half, a bit each.
type Tables = [u64; DIRECTORY_ENTRIES / 64];

const NO_TABLES: Tables = [0; DIRECTORY_ENTRIES / 64];

/// Adds an entry; whether it is new.
fn add(tables: &mut Tables, address: u32) -> bool {
    let index = (address >> 22) as usize;
    let is_new = !is_in(tables, address);
    if let Some(word) = tables.get_mut(index / 64) {
        *word |= 1 << (index % 64);
    }
    is_new
}

fn is_in(tables: &Tables, address: u32) -> bool {
    let index = (address >> 22) as usize;
    tables.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 != 0)
}

impl Space {
    pub(super) fn clear(&mut self) {
        if self.is_live {
            self.pages.clear();
            (self.tables, self.full_tables) = (NO_TABLES, NO_TABLES);
            (self.most_tables, self.fewest_tables) = (0, 0);
        }
        (self.is_live, self.window) = (false, Table::Absent);
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

    /// Whether there is a table for this address, for all that is known.
    pub(super) fn table(&self, address: u32) -> Table {
        if is_in(&self.full_tables, address) {
            Table::Present
        } else if is_in(&self.tables, address) {
            Table::Possible
        } else {
            Table::Absent
        }
    }

    /// The most tables that it has.
    pub(super) fn most_tables(&self) -> u32 {
        self.most_tables
    }

    /// The tables that it has for sure.
    pub(super) fn fewest_tables(&self) -> u32 {
        self.fewest_tables
    }

    pub(super) fn insert(&mut self, page: Page) {
        self.most_tables += u32::from(add(&mut self.tables, page.address));
        self.fewest_tables += u32::from(add(&mut self.full_tables, page.address));
        if let Err(at) = self.pages.binary_search_by_key(&page.address, |page| page.address) {
            self.pages.insert(at, page);
        }
    }

    pub(super) fn remove(&mut self, address: u32) -> Option<Page> {
        let at = self.pages.binary_search_by_key(&address, |page| page.address).ok()?;
        let page = self.pages.remove(at);
        // They lie in the order of their addresses: those of one table are neighbours.
        let is_below = |page: Option<&Page>| page.is_some_and(|page| page.address >> 22 == address >> 22);
        let index = (address >> 22) as usize;
        if !is_below(self.pages.get(at)) && !is_below(at.checked_sub(1).and_then(|before| self.pages.get(before))) {
            self.full_tables[index / 64] &= !(1 << (index % 64));
            self.fewest_tables -= 1;
        }
        Some(page)
    }

    /// Becomes a process whose writable pages are shared with the parent, which marks its own as well.
    pub(super) fn fork_from(&mut self, parent: &mut Space) {
        for page in parent.pages.iter_mut().filter(|page| page.is_writable()) {
            page.flags = page.flags & !WRITABLE | COPY_ON_WRITE;
        }
        self.clear();
        self.is_live = true;
        self.pages.extend_from_slice(&parent.pages);
        (self.tables, self.full_tables) = (parent.tables, parent.full_tables);
        (self.most_tables, self.fewest_tables) = (parent.most_tables, parent.fewest_tables);
    }
}
