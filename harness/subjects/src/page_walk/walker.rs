//! The walker: finds the leaves of a range in tables that a guest wrote. Bounded in work and depth whatever they hold;
//! it reads entries through a port and keeps nothing.

use super::deviation::Deviation;
use memtwin_models::page_walk::translate::{ADDRESS, NO_EXECUTE, PRESENT, USER, WRITABLE, shift};
use memtwin_models::page_walk::{Access, PAGE_BYTES, Refusal, WorkBounds};

/// The pages below 2^48 bytes.
const LAST_PAGE: u64 = (1 << 36) - 1;

/// A way to read page-table entries.
pub trait TableReader {
    /// The entry at a guest-physical address; 0 where there is none.
    fn read_entry(&self, address: u64) -> u64;

    /// The first present entry of a table from one index to another, and its own.
    fn next_present(&self, table: u64, from: u64, last: u64) -> Option<(u64, u64)> {
        let entries = (from..=last).map(|index| (index, self.read_entry(table + 8 * index)));
        entries.into_iter().find(|(_, entry)| entry & PRESENT != 0)
    }
}

/// The first and the last page of a range, by the 36 bits that a walk looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRange {
    first: u64,
    last: u64,
}

impl PageRange {
    /// Every page.
    pub const ALL: PageRange = PageRange { first: 0, last: LAST_PAGE };

    /// The pages of the first and the last address, and those between.
    #[must_use]
    pub fn new(first: u64, last: u64) -> Self {
        PageRange { first: first >> 12 & LAST_PAGE, last: last >> 12 & LAST_PAGE }
    }

    /// The pages from an address to the last of all.
    #[must_use]
    pub fn to_the_end(first: u64) -> Self {
        PageRange { last: LAST_PAGE, ..PageRange::new(first, first) }
    }
}

/// A leaf, cut to the pages of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The first virtual address, sign-extended.
    pub virt: u64,
    /// Where it leads.
    pub phys: u64,
    /// In bytes.
    pub bytes: u64,
    /// What may be done there.
    pub access: Access,
}

/// One walk.
struct Walk<'a, R, F> {
    reader: &'a R,
    bounds: WorkBounds,
    range: PageRange,
    visits: u64,
    leaves: u64,
    visit: F,
}

/// Shows the leaves that meet a range, in ascending order.
pub(super) fn walk<D: Deviation, R: TableReader>(
    reader: &R,
    root: u64,
    bounds: WorkBounds,
    range: PageRange,
    visit: impl FnMut(Leaf),
) -> Result<(), Refusal> {
    let mut walk = Walk { reader, bounds, range, visits: 0, leaves: 0, visit };
    let access = Access { writable: true, executable: true, copy_on_write: false, user: true };
    walk.table::<D>(root & ADDRESS, 3, 0, access)
}

impl<R: TableReader, F: FnMut(Leaf)> Walk<'_, R, F> {
    /// One table, which begins at page `base`.
    fn table<D: Deviation>(&mut self, table: u64, level: u32, base: u64, upper: Access) -> Result<(), Refusal> {
        self.visits += 1;
        if !D::is_within_bounds(self.bounds, self.visits, self.leaves) {
            return Err(Refusal::TooMuchWork);
        }
        let shift_pages = shift(level) - 12;
        let first_index = self.range.first.saturating_sub(base) >> shift_pages;
        let last_index = (self.range.last - base).min((512 << shift_pages) - 1) >> shift_pages;
        let mut from = first_index;
        while let Some((index, entry)) = self.reader.next_present(table, from, last_index) {
            from = index + 1;
            let own = Access {
                writable: entry & WRITABLE != 0,
                executable: entry & NO_EXECUTE == 0,
                copy_on_write: D::is_copy_on_write(entry),
                user: entry & USER != 0,
            };
            let access = D::allowed_below(upper, own);
            let first = base + (index << shift_pages);
            if 0 < level && !D::is_large(entry, level) {
                self.table::<D>(entry & ADDRESS, level - 1, first, access)?;
            } else if if level == 0 { D::is_valid_small(entry) } else { D::is_valid_large(entry, level) } {
                self.leaf::<D>(entry, level, first, access)?;
            }
        }
        Ok(())
    }

    fn leaf<D: Deviation>(&mut self, entry: u64, level: u32, first: u64, access: Access) -> Result<(), Refusal> {
        self.leaves += 1;
        if !D::is_within_bounds(self.bounds, self.visits, self.leaves) {
            return Err(Refusal::TooMuchWork);
        }
        let page_bytes = 1_u64 << shift(level);
        let last = first + page_bytes / PAGE_BYTES - 1;
        let (from, to) = (first.max(self.range.first), last.min(self.range.last));
        let phys = (entry & ADDRESS & !(page_bytes - 1)) + (from - first) * PAGE_BYTES;
        (self.visit)(Leaf { virt: sign_extended(from), phys, bytes: (to - from + 1) * PAGE_BYTES, access });
        Ok(())
    }
}

/// The address of a page, bit 47 repeated above.
#[inline]
fn sign_extended(page: u64) -> u64 {
    ((page << 28).cast_signed() >> 16).cast_unsigned()
}
