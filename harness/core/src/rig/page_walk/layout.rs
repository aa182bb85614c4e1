//! What a generator expects of a trace that it draws: which tables its mappings made, and where the buffer's stack
//! pointer is. Hostile ops make it wrong, and that does no harm: it aims, it judges nothing.

use memtwin_models::page_walk::{MAX_TABLES, Setup};

/// The expected state.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// The tables that were made on demand, as (level of its entries, the address bits above), the root being the
    /// first.
    tables: Vec<(u32, u64)>,
    /// Where the elements of the buffer begin.
    starts: Vec<u64>,
    /// The buffer's stack pointer.
    pub(super) pointer: u64,
    buffer_bytes: u64,
}

impl Expected {
    pub(super) fn begin(&mut self, setup: &Setup) {
        self.tables.clear();
        self.tables.push((3, 0));
        self.buffer_bytes = u64::from(setup.buffer_bytes);
        self.empty();
    }

    pub(super) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// A table that something else made.
    pub(super) fn alloc(&mut self) {
        if self.tables.len() < MAX_TABLES {
            self.tables.push((u32::MAX, 0));
        }
    }

    /// A page is mapped: its tables are made.
    pub(super) fn map(&mut self, virt: u64) {
        for level in (0..3).rev() {
            if self.table_of(virt, level).is_none() && self.tables.len() < MAX_TABLES {
                self.tables.push((level, above(virt, level)));
            }
        }
    }

    /// The index of the table of this level on the way to an address.
    pub(super) fn table_of(&self, virt: u64, level: u32) -> Option<usize> {
        self.tables.iter().position(|table| *table == (level, above(virt, level)))
    }

    pub(super) fn push(&mut self, length: u16) {
        let end = self.pointer + u64::from(length) + 8;
        if end <= self.buffer_bytes {
            self.starts.push(self.pointer);
            self.pointer = end;
        }
    }

    pub(super) fn pop(&mut self) {
        self.pointer = self.starts.pop().unwrap_or(8);
    }

    pub(super) fn empty(&mut self) {
        self.starts.clear();
        self.pointer = 8;
    }

    /// Where the last element begins.
    pub(super) fn last_start(&self) -> u64 {
        self.starts.last().copied().unwrap_or(8)
    }
}

/// The address bits that a table of this level has in common.
fn above(virt: u64, level: u32) -> u64 {
    (virt & 0xffff_ffff_ffff) >> (21 + 9 * level)
}
