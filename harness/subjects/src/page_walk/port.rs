//! The port that code under test reads page tables through. It counts, and when a walk has gone on long after it had to
//! end it answers that nothing is present: a runaway walk is seen each time alike, and not by the clock.

use super::walker::TableReader;
use memtwin_models::page_walk::WorkBounds;
use std::cell::Cell;

/// What the walks of an op have asked for and found.
#[derive(Debug)]
pub(super) struct Meter {
    bounds: WorkBounds,
    reads: Cell<u64>,
    found: Cell<u64>,
}

impl Meter {
    pub(super) fn new(bounds: WorkBounds) -> Self {
        Meter { bounds, reads: Cell::new(0), found: Cell::new(0) }
    }

    /// Notes a leaf that was found.
    #[inline]
    pub(super) fn note_leaf(&self) {
        self.found.set(self.found.get() + 1);
    }

    pub(super) fn is_exceeded(&self) -> bool {
        // Twice what a walk within its bounds can read and find.
        2 * self.bounds.table_visits() * 512 < self.reads.get() || 2 * self.bounds.leaves() < self.found.get()
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
