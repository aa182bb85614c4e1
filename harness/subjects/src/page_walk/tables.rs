//! The table buffer: page tables as a host builds them for a guest, in memory of its own. Whatever an entry says,
//! nothing outside of the buffer is read or written.

use super::deviation::Deviation;
use super::walker::TableReader;
use memtwin_models::page_walk::translate::{ADDRESS, LARGE, PRESENT, shift};
use memtwin_models::page_walk::{
    MAX_MAPPED_PAGES, MAX_TABLES, MappingKind, PAGE_BYTES, PHYSICAL_END, Refusal, WorkBounds,
};
use std::marker::PhantomData;

const ENTRIES: usize = 512;

/// The table buffer.
#[derive(Debug)]
pub struct TableBuffer<D> {
    base: u64,
    /// The root that walks begin at, low bits and all.
    pub root: u64,
    entries: Vec<u64>,
    pub(super) work_bounds: WorkBounds,
    deviation: PhantomData<D>,
}

impl<D: Deviation> TableBuffer<D> {
    /// One zeroed root at `base`.
    pub(super) fn new(base: u64, work_bounds: WorkBounds) -> Self {
        let mut entries = Vec::with_capacity(MAX_TABLES * ENTRIES);
        entries.resize(ENTRIES, 0);
        TableBuffer { base, root: base, entries, work_bounds, deviation: PhantomData }
    }

    pub(super) fn reset(&mut self) {
        self.entries.truncate(ENTRIES);
        self.entries.fill(0);
        self.root = self.base;
    }

    pub(super) fn entries(&self) -> &[u64] {
        &self.entries
    }

    /// The number of tables.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len() / ENTRIES
    }

    /// Appends a zeroed table.
    pub fn alloc_table(&mut self) -> Result<u64, Refusal> {
        let count = self.count();
        if MAX_TABLES <= count && !D::CONTRACT.own_entries {
            return Err(Refusal::NoRoom);
        }
        self.entries.resize((count + 1) * ENTRIES, 0);
        Ok(self.base + count as u64 * PAGE_BYTES)
    }

    #[inline]
    fn index(&self, address: u64) -> Option<usize> {
        D::entry_index(self.base, address, self.entries.len())
    }

    /// Writes an entry; outside of the buffer nothing is written.
    pub fn write_entry(&mut self, address: u64, value: u64) {
        if let Some(index) = self.index(address) {
            self.entries[index] = value;
        }
    }

    /// Maps page by page; what was mapped before an error stays.
    pub(super) fn map(&mut self, phys: u64, virt: u64, length: u64, kind: MappingKind) -> Result<(), Refusal> {
        if length == 0 {
            return Ok(());
        }
        let is_physical = phys.checked_add(length).is_some_and(|end| end <= PHYSICAL_END);
        if !D::is_aligned(phys, virt, length) || !is_physical {
            return Err(Refusal::BadRange);
        }
        D::range(virt, length)?;
        let pages = length.div_ceil(PAGE_BYTES);
        if MAX_MAPPED_PAGES < pages {
            return Err(Refusal::TooMuchWork);
        }
        for page in 0..pages {
            let offset = page * PAGE_BYTES;
            D::map_page(self, virt + offset, D::leaf_entry(phys + offset, kind))?;
        }
        Ok(())
    }

    /// Writes a leaf, or takes it away; tables are made on the way to a leaf only.
    pub fn map_page(&mut self, virt: u64, leaf: Option<u64>) -> Result<(), Refusal> {
        let mut table = self.root & ADDRESS;
        for level in (1..4).rev() {
            let address = entry_address(table, virt, level);
            let index = self.index(address).ok_or(Refusal::Corrupt)?;
            let entry = self.entries[index];
            if entry & PRESENT == 0 {
                if leaf.is_none() && !D::unmaps_through_tables() {
                    return Ok(());
                }
                table = self.alloc_table()?;
                self.entries[index] = D::table_entry(table);
            } else if entry & LARGE != 0 {
                return Err(Refusal::Corrupt);
            } else {
                table = entry & ADDRESS;
            }
        }
        let index = self.index(entry_address(table, virt, 0)).ok_or(Refusal::Corrupt)?;
        self.entries[index] = leaf.unwrap_or_else(|| D::absent_entry(self.entries[index]));
        Ok(())
    }
}

impl<D: Deviation> TableReader for TableBuffer<D> {
    #[inline]
    fn read_entry(&self, address: u64) -> u64 {
        self.index(address).map_or(0, |index| self.entries[index])
    }

    #[inline]
    fn next_present(&self, table: u64, from: u64, last: u64) -> Option<(u64, u64)> {
        // A table lies in the buffer as a whole or not at all.
        let start = self.index(table + 8 * from)?;
        let mut entries = (from..=last).zip(&self.entries[start..]);
        entries.find(|(_, entry)| *entry & PRESENT != 0).map(|(index, entry)| (index, *entry))
    }
}

/// The address of the entry for a virtual address in a table of this level.
#[inline]
#[must_use]
pub fn entry_address(table: u64, virt: u64, level: u32) -> u64 {
    table + 8 * (virt >> shift(level) & 0x1ff)
}
