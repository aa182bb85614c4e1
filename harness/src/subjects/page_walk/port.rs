//! The port that code under test reads page tables through. It counts, and when a walk has gone on long after it had to end
//! it answers that nothing is present: a runaway walk is seen each time alike, and not by the clock.

use super::walker::TableReader;
use memtwin_models::page_walk::{MAX_LEAVES, MAX_TABLE_VISITS};
use std::cell::Cell;

/// Twice the entries that a walk within its bounds can read.
const MAX_READS: u64 = 2 * MAX_TABLE_VISITS * 512;
/// Twice the leaves that it can find.
const MAX_FOUND: u64 = 2 * MAX_LEAVES;

/// What the walks of an op have asked for and found.
#[derive(Debug, Default)]
pub(super) struct Meter {
    reads: Cell<u64>,
    found: Cell<u64>,
}

impl Meter {
    /// Notes a leaf that was found.
    #[inline]
    pub(super) fn note_leaf(&self) {
        self.found.set(self.found.get() + 1);
    }

    pub(super) fn is_exceeded(&self) -> bool {
        MAX_READS < self.reads.get() || MAX_FOUND < self.found.get()
    }
}

/// Tables behind a meter.
#[derive(Debug)]
pub(super) struct Port<'a, T> {
    pub(super) tables: &'a T,
    pub(super) meter: &'a Meter,
}

impl<T: TableReader> TableReader for Port<'_, T> {
    #[inline]
    fn read_entry(&self, address: u64) -> u64 {
        self.meter.reads.set(self.meter.reads.get() + 1);
        if self.meter.is_exceeded() { 0 } else { self.tables.read_entry(address) }
    }

    #[inline]
    fn next_present(&self, table: u64, from: u64, last: u64) -> Option<(u64, u64)> {
        if last < from || self.meter.is_exceeded() {
            return None;
        }
        let next = self.tables.next_present(table, from, last);
        let passed = next.map_or(last, |(index, _)| index) - from + 1;
        self.meter.reads.set(self.meter.reads.get() + passed);
        next
    }
}
