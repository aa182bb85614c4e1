//! The host memory behind the backings: only the backings' pages are accessible, each ending right before an
//! inaccessible page. A byte too many is a real fault; refused is any check that would prevent it. What a backing
//! leaves of its first page is slack: accessible, nobody's, and full of one byte.

use crate::pages::{Access, Pages};
use memtwin_models::Unsupported;
use memtwin_models::page_walk::{Backing, HOST_SLOT_BYTES, PAGE_BYTES, Setup};

const END: u64 = Backing::COUNT as u64 * HOST_SLOT_BYTES;

/// What slack holds: no byte that a cleared scratch holds, so that a read of it shows as well.
const SLACK: u8 = 0xb5;

/// The memory. Addresses are simulated.
#[derive(Debug)]
pub(super) struct HostMemory {
    pages: Pages,
    /// The slack before each backing, as (start, end).
    slack: [(u64, u64); Backing::COUNT],
}

impl HostMemory {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let mut memory = HostMemory { pages: Pages::new(END)?, slack: [(0, 0); Backing::COUNT] };
        for index in 0..=u8::try_from(setup.mapped.len()).unwrap_or(u8::MAX).saturating_add(1) {
            let backing = Backing::new_folded(index);
            let Some((first, end)) = setup.host_range(backing) else { continue };
            let start = first & !(PAGE_BYTES - 1);
            memory.pages.protect(start, end.next_multiple_of(PAGE_BYTES), Access::ReadWrite);
            // What lies before an adjacent mapping is the snapshot's.
            if !(setup.adjacent && backing == Backing::Mapped(0)) {
                memory.slack[backing.index()] = (start, first);
            }
        }
        memory.fill_slack();
        Ok(memory)
    }

    /// The bytes of a range, if all of it is accessible.
    #[inline]
    pub(super) fn bytes(&self, address: u64, length: u64) -> Option<&[u8]> {
        self.pages.bytes(address, length)
    }

    /// Appends the bytes of a range to a list, wherever that is: the first inaccessible byte faults.
    pub(super) fn read(&self, address: u64, length: u64, data: &mut Vec<u8>) {
        match self.pages.bytes(address, length) {
            Some(bytes) => data.extend_from_slice(bytes),
            None => (0..length).for_each(|offset| data.push(self.pages.load(address.wrapping_add(offset)))),
        }
    }

    /// Writes to a range, wherever that is: the first inaccessible byte faults.
    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) {
        match self.pages.bytes_mut(address, bytes.len() as u64) {
            Some(target) => target.copy_from_slice(bytes),
            None => {
                for (offset, byte) in (0..).zip(bytes) {
                    self.pages.store(address.wrapping_add(offset), *byte);
                }
            }
        }
    }

    /// Fills a range, wherever that is.
    pub(super) fn fill(&mut self, address: u64, length: u64, byte: u8) {
        match self.pages.bytes_mut(address, length) {
            Some(target) => target.fill(byte),
            None => (0..length).for_each(|offset| self.pages.store(address.wrapping_add(offset), byte)),
        }
    }

    /// A word of eight bytes, wherever it is.
    #[inline]
    pub(super) fn word(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.pages.array(address))
    }

    /// Makes slack as it was at first.
    pub(super) fn fill_slack(&mut self) {
        for (start, end) in self.slack {
            self.fill(start, end - start, SLACK);
        }
    }

    /// The last byte of slack that is not as it was at first, with its backing's index, as the distance to the backing.
    pub(super) fn changed_slack(&self) -> Option<(usize, u64)> {
        self.slack.iter().enumerate().find_map(|(index, (start, end))| {
            let changed = self.bytes(*start, end - start)?.iter().rposition(|byte| *byte != SLACK)?;
            Some((index, end - start - changed as u64))
        })
    }

    /// Reads a byte of every page of a range, and its last byte: a range that leaves its backing faults at the first
    /// byte beyond, because that is the first of a page.
    pub(super) fn touch(&self, address: u64, length: u64) {
        if length == 0 || self.bytes(address, length).is_some() {
            return;
        }
        let last = address.wrapping_add(length - 1);
        let mut position = address;
        while position < last {
            std::hint::black_box(self.pages.load(position));
            position = (position | (PAGE_BYTES - 1)).wrapping_add(1);
        }
        std::hint::black_box(self.pages.load(last));
    }
}
