//! Which pages must and may be in the dirty log, the image that its dumps make, and how both are judged. Does not know
//! which accesses store.

use super::super::laws::{ANSWER, DIRTY, DUMP};
use super::super::op::Op;
use super::super::outcome::{Outcome, Seen};
use super::super::setup::{DIRTY_PAGE_BYTES, Setup};
use super::GuestMemoryModel;
use super::access::Route;
use super::expect::{Form, Judged, expect_calls, expect_form};
use super::flat_memory::FlatMemory;
use super::ram::Ram;
use crate::Verdict;

/// What happened to a page since the log was cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// No store named it.
    Clean,
    /// A store named one of its bytes, and may not have stored.
    Named,
    /// It was written.
    Written,
}

#[derive(Debug, Clone, Copy)]
struct Page {
    /// The address of its first byte, which may be no RAM.
    address: u64,
    state: State,
    /// Whether the outcome that is judged shows it.
    is_shown: bool,
}

impl Page {
    const fn last(self) -> u64 {
        self.address | (DIRTY_PAGE_BYTES - 1)
    }
}

/// The log as it must be.
#[derive(Debug, Clone)]
pub(super) struct DirtyPages {
    is_on: bool,
    /// The pages with a byte of RAM, ascending.
    pages: Vec<Page>,
    refused: Vec<u16>,
    /// How many writes to images there were.
    page_writes: u64,
    /// How often the log was cleared.
    clears: u64,
    /// Zeros, and what was dumped or taken since.
    image: FlatMemory,
}

impl DirtyPages {
    pub(super) fn new(setup: &Setup, ram: &Ram) -> Self {
        let image = FlatMemory::new(0);
        let mut pages =
            DirtyPages { is_on: false, pages: Vec::new(), refused: Vec::new(), page_writes: 0, clears: 0, image };
        pages.reset(setup, ram);
        pages
    }

    /// Returns to an empty log.
    pub(super) fn reset(&mut self, setup: &Setup, ram: &Ram) {
        self.is_on = setup.dirty_log.is_some();
        let Some(log) = &setup.dirty_log else { return };
        self.refused.clone_from(&log.refused);
        self.page_writes = 0;
        self.clears = 0;
        self.image.reset(setup.memory_size);
        self.pages.clear();
        for run in ram.runs().filter(|run| run.bytes != 0) {
            let mut address = run.base & !(DIRTY_PAGE_BYTES - 1);
            loop {
                let page = Page { address, state: State::Clean, is_shown: false };
                if self.pages.last().is_none_or(|last| last.address != address) {
                    self.pages.push(page);
                }
                if run.end() - 1 <= page.last() {
                    break;
                }
                address += DIRTY_PAGE_BYTES;
            }
        }
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// The pages that must be in the log, and those that may, each by the address of its first byte.
    pub(super) fn in_log(&self) -> impl Iterator<Item = (u64, bool)> {
        let in_log = self.pages.iter().filter(|page| page.state != State::Clean);
        in_log.map(|page| (page.address, page.state == State::Written))
    }

    /// So many bytes from an address on were written.
    #[inline]
    pub(super) fn write(&mut self, address: u64, length: u64) {
        if self.is_on {
            self.raise(address, length, State::Written);
        }
    }

    /// All of RAM was written.
    pub(super) fn write_all(&mut self) {
        self.pages.iter_mut().for_each(|page| page.state = State::Written);
    }

    #[cold]
    fn raise(&mut self, address: u64, length: u64, state: State) {
        let Some(to_last) = length.checked_sub(1) else { return };
        let last = address.saturating_add(to_last);
        let first = self.pages.partition_point(|page| page.last() < address);
        for page in self.pages[first..].iter_mut().take_while(|page| page.address <= last) {
            page.state = page.state.max(state);
        }
    }

    /// How often the log was cleared.
    pub(super) fn clears(&self) -> u64 {
        self.clears
    }

    /// A byte was seen to have been written by a transfer that was refused after so many clearings of the log. Where it
    /// was cleared since, the image has the byte.
    pub(super) fn settle(&mut self, address: u64, offset: u64, byte: u8, clears: u64) {
        let Some(index) = self.page(address).filter(|_| self.is_on) else { return };
        if clears < self.clears {
            self.image.store(offset, byte.into(), 1);
        } else {
            self.pages[index].state = State::Written;
        }
    }

    /// How many writes to images there were.
    #[cfg(test)]
    pub(super) fn page_writes(&self) -> u64 {
        self.page_writes
    }

    /// The place of the page with this byte.
    fn page(&self, address: u64) -> Option<usize> {
        let index = self.pages.partition_point(|page| page.last() < address);
        self.pages.get(index).filter(|page| page.address <= address).map(|_| index)
    }

    fn clear(&mut self) {
        self.clears += 1;
        self.pages.iter_mut().for_each(|page| page.state = State::Clean);
    }

    /// Notes that an outcome shows a page; whether it may.
    fn show(&mut self, address: u64, may_be_clean: bool) -> bool {
        let Some(index) = self.page(address) else { return false };
        let page = &mut self.pages[index];
        page.is_shown = true;
        may_be_clean || page.state != State::Clean
    }
}

impl GuestMemoryModel {
    /// After a store: the pages of its range may be in the log, whatever became of it. A device's bytes are no RAM.
    #[cold]
    pub(super) fn name_pages(&mut self, op: &Op) {
        let Some((address, length)) = op.range() else { return };
        let route = match *op {
            Op::Write { size, .. } | Op::StoreConditional { size, .. } => self.layout.scalar(address, size),
            Op::AtomicStore { size, .. } | Op::CompareExchange { size, .. } => {
                self.layout.atomic_in_host(address, size)
            }
            Op::WriteBulk { length, .. } => self.layout.bulk(address, length.bytes()),
            Op::Read { .. }
            | Op::FetchInstruction { .. }
            | Op::LoadReserved { .. }
            | Op::InvalidateReservation { .. }
            | Op::ReadBulk { .. }
            | Op::MemorySize { .. }
            | Op::Dump { .. }
            | Op::Restore { .. }
            | Op::RestoreDump { .. }
            | Op::MapDevice { .. }
            | Op::UnmapDevice { .. }
            | Op::AtomicLoad { .. }
            | Op::DirtyLog { .. }
            | Op::TakeDirtyLog { .. }
            | Op::DumpDirty { .. } => return,
        };
        if !matches!(route, Route::Device { .. }) {
            self.dirty.raise(address, length, State::Named);
        }
    }

    /// Whether an op that asks for the log is skipped, as it must be where there is none.
    fn has_no_log(&self, seen: &Outcome) -> Result<bool, Verdict> {
        if self.dirty.is_on {
            return Ok(false);
        }
        expect_calls(&[], seen)?;
        if seen.result == Seen::Skipped { Ok(true) } else { Err(Verdict::diverge(&ANSWER, "result")) }
    }

    /// Judges a reading of the log, which may take it.
    pub(super) fn dirty_log(&mut self, takes: bool, seen: &Outcome) -> Judged {
        if self.has_no_log(seen)? {
            return Ok(());
        }
        expect_form(Form::Done, seen.result)?;
        expect_calls(&[], seen)?;
        self.dirty.pages.iter_mut().for_each(|page| page.is_shown = false);
        for &address in &seen.pages {
            let is_page = address.is_multiple_of(DIRTY_PAGE_BYTES);
            if !self.dirty.show(address | (DIRTY_PAGE_BYTES - 1), self.layout.contract.dirty_extra) || !is_page {
                return Err(Verdict::diverge_at(&DIRTY, "log", address));
            }
        }
        let mut missing = self.dirty.pages.iter().filter(|page| page.state == State::Written && !page.is_shown);
        if let Some(page) = missing.next() {
            return Err(Verdict::diverge_at(&DIRTY, "log", page.address));
        }
        if takes {
            let (memory, image, ram) = (&self.memory, &mut self.dirty.image, &self.layout.ram);
            for page in self.dirty.pages.iter().filter(|page| page.is_shown) {
                ram.visit_between(page.address, page.last(), |_, offset, length| {
                    image.copy_from(memory, offset, length);
                });
            }
            self.dirty.clear();
        }
        Ok(())
    }

    /// Judges a dump of the log's pages.
    pub(super) fn dump_dirty(&mut self, seen: &Outcome) -> Judged {
        if self.has_no_log(seen)? {
            return Ok(());
        }
        let is_refused = seen.page_writes.iter().any(|write| write.refused);
        match seen.result {
            Seen::Done if !is_refused => {}
            Seen::Error(_) if is_refused => {}
            Seen::Done | Seen::Error(_) => return Err(Verdict::diverge(&DIRTY, "result")),
            Seen::Skipped | Seen::Value(_) | Seen::Stored(_) | Seen::Moved(_) | Seen::Exchanged { .. } => {
                return Err(Verdict::diverge(&ANSWER, "result"));
            }
        }
        expect_calls(&[], seen)?;
        self.expect_page_writes(seen)?;
        if is_refused {
            return Ok(());
        }
        let mut rest = seen.dump.as_slice();
        for write in &seen.page_writes {
            let (bytes, others) = rest.split_at(write.length as usize);
            self.dirty.image.store_bytes(self.layout.offset(write.address), bytes);
            rest = others;
        }
        let (memory, image, ram) = (&self.memory, &self.dirty.image, &self.layout.ram);
        for page in self.dirty.pages.iter().filter(|page| page.state == State::Written) {
            let mut first_wrong = None;
            ram.visit_between(page.address, page.last(), |address, offset, length| {
                let wrong = image.first_difference_from(memory, offset, length);
                first_wrong = first_wrong.or(wrong.map(|wrong| address + (wrong - offset)));
            });
            if let Some(address) = first_wrong {
                return Err(Verdict::diverge_at(&DIRTY, "image", address));
            }
        }
        self.dirty.clear();
        Ok(())
    }

    /// What goes to the image is RAM of the log's pages as it is now, and the image refuses what the setup says.
    fn expect_page_writes(&mut self, seen: &Outcome) -> Judged {
        let mut rest = seen.dump.as_slice();
        for (number, write) in (self.dirty.page_writes..).zip(&seen.page_writes) {
            let is_refused = self.dirty.refused.iter().any(|&refused| u64::from(refused) == number);
            let (address, length) = (write.address, u64::from(write.length));
            let Some((bytes, others)) = rest.split_at_checked(write.length as usize) else {
                return Err(Verdict::diverge(&ANSWER, "page_writes"));
            };
            if write.refused != is_refused || length == 0 {
                return Err(Verdict::diverge(&ANSWER, "page_writes"));
            }
            let Some(offset) = self.layout.ram.offset(address, length) else {
                return Err(Verdict::diverge_at(&DIRTY, "image", address));
            };
            let mut pages = (address / DIRTY_PAGE_BYTES)..=((address + (length - 1)) / DIRTY_PAGE_BYTES);
            let extra = self.layout.contract.dirty_extra;
            if !pages.all(|page| self.dirty.show((page * DIRTY_PAGE_BYTES) | (DIRTY_PAGE_BYTES - 1), extra)) {
                return Err(Verdict::diverge_at(&DIRTY, "log", address));
            }
            if let Some(wrong) = self.memory.first_difference(offset, bytes) {
                return Err(Verdict::diverge_at(&DUMP, "page", address + (wrong - offset)));
            }
            rest = others;
        }
        self.dirty.page_writes += seen.page_writes.len() as u64;
        if rest.is_empty() { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "page_writes")) }
    }
}
