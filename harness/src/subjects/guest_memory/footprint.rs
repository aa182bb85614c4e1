//! What a trace may have changed in memory, and how to take it back at a cost that follows the trace.
//!
//! Ranges are noted before the call, whether or not it will store: a broken method may store where it must not.
//! Refused: guessing. Where the notes do not suffice, the caller is told to build anew.

use super::adapter::Ram;
use memtwin_models::guest_memory::{DUMP_LIMIT_BYTES, MAX_TRANSFER_BYTES};

/// As many ranges as are noted one by one.
const NOTES: usize = 4096;
const PAGE_BYTES: u64 = 4096;
/// Large memories are given up after this many touched pages (64 MiB): the host never gets a page back from a scrub.
const PAGES: u64 = 16_384;

static ZEROS: [u8; MAX_TRANSFER_BYTES as usize] = [0; MAX_TRANSFER_BYTES as usize];

/// The ranges that a trace may have changed or reserved.
#[derive(Debug)]
pub(crate) struct Footprint {
    ranges: Vec<(u64, u32)>,
    everything: bool,
    /// An upper bound of the pages touched since the machine was built.
    pages: u64,
}

impl Footprint {
    pub(crate) fn new() -> Self {
        Footprint { ranges: Vec::with_capacity(NOTES), everything: false, pages: 0 }
    }

    /// `length` bytes from `address` on may have been changed or reserved.
    #[inline]
    pub(crate) fn note(&mut self, address: u64, length: u32) {
        if self.ranges.len() < NOTES {
            self.ranges.push((address, length));
        } else {
            self.everything = true;
        }
    }

    /// Any byte may have been changed.
    pub(crate) fn note_everything(&mut self) {
        self.everything = true;
    }

    /// Makes memory zero again where it may not be, and kills all reservations: each is on a line of its noted range,
    /// and the store of zeros there kills it. False when that would cost more than a new machine.
    pub(crate) fn scrub(&mut self, ram: &impl Ram) -> bool {
        if self.everything {
            if ram.size() > DUMP_LIMIT_BYTES {
                return false;
            }
            self.everything = false;
            self.ranges.clear();
            return Self::zero(ram, 0, ram.size());
        }
        for (address, length) in self.ranges.drain(..) {
            let start = address.min(ram.size());
            let length = address.saturating_add(u64::from(length)).min(ram.size()) - start;
            if length == 0 {
                continue;
            }
            self.pages = self.pages.saturating_add(length / PAGE_BYTES + 2);
            if !Self::zero(ram, start, length) {
                return false;
            }
        }
        self.pages <= PAGES || ram.size() <= PAGES * PAGE_BYTES
    }

    fn zero(ram: &impl Ram, start: u64, length: u64) -> bool {
        let end = start + length;
        (start..end).step_by(ZEROS.len()).all(|start| {
            let length = usize::try_from(end - start).map_or(ZEROS.len(), |rest| rest.min(ZEROS.len()));
            ram.scrub(start, &ZEROS[..length]).is_ok()
        })
    }
}
