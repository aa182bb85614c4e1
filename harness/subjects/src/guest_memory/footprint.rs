//! What a trace may have changed in memory, and how to take it back at a cost that follows the trace.
//!
//! Ranges are noted before the call, whether or not it will store: a broken method may store where it must not. Does
//! not guess: where the notes do not suffice, the caller is told to build anew.

use super::subject::Ram;
use memtwin_models::guest_memory::DUMP_LIMIT_BYTES;

/// As many ranges as are noted one by one.
const NOTES: usize = 4096;
/// How many counted pages are remembered.
const COUNTED: usize = 4096;
const LINE_BYTES: u64 = 64;
const PAGE_BYTES: u64 = 4096;
/// Large memories are given up after this many touched pages (256 MiB): the host never gets a page back from a scrub.
const PAGES: u64 = 65_536;

/// The ranges that a trace may have changed or reserved.
#[derive(Debug)]
pub(crate) struct Footprint {
    ranges: Vec<(u64, u32)>,
    everything: bool,
    /// An upper bound of the pages touched since the machine was built.
    pages: u64,
    /// Pages that were counted lately, by their low bits: most traces touch the same ones again.
    counted: Box<[u64; COUNTED]>,
}

impl Footprint {
    pub(crate) fn new() -> Self {
        let counted = Box::new([u64::MAX; COUNTED]);
        Footprint { ranges: Vec::with_capacity(NOTES), everything: false, pages: 0, counted }
    }

    /// `length` bytes from `address` on may have been changed or reserved.
    #[inline]
    pub(crate) fn note(&mut self, address: u64, length: u32) {
        if self.ranges.len() < NOTES {
            // Whole lines, so that nearly all scalars are cleared in one size: sizes at random would be mispredicted.
            let start = address & !(LINE_BYTES - 1);
            let length = (address - start + u64::from(length)).next_multiple_of(LINE_BYTES);
            self.ranges.push((start, u32::try_from(length).unwrap_or(u32::MAX)));
        } else {
            self.everything = true;
        }
    }

    /// Any byte may have been changed.
    pub(crate) fn note_everything(&mut self) {
        self.everything = true;
    }

    /// Makes memory zero again where it may not be, and kills all reservations: each is on a line of its noted range.
    /// False when that would cost more than a new machine.
    pub(crate) fn scrub(&mut self, ram: &impl Ram) -> bool {
        if self.everything {
            if ram.size() > DUMP_LIMIT_BYTES {
                return false;
            }
            self.everything = false;
            self.ranges.clear();
            let ranges = &mut self.ranges;
            ram.visit_ranges(|start, bytes| ranges.push((start, u32::try_from(bytes).unwrap_or(u32::MAX))));
        }
        if PAGES * PAGE_BYTES < ram.size() {
            self.count_pages();
        }
        let cleared = ram.clear(&self.ranges).is_ok();
        self.ranges.clear();
        cleared && self.pages <= PAGES
    }

    fn count_pages(&mut self) {
        for &(address, length) in &self.ranges {
            let last = address.saturating_add(u64::from(length)) / PAGE_BYTES;
            for page in address / PAGE_BYTES..=last {
                let counted = &mut self.counted[(page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize % COUNTED];
                self.pages += u64::from(*counted != page);
                *counted = page;
            }
        }
    }
}
