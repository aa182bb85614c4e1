//! The kernel's part: the break, the page map, the frames. Does not touch a page's bytes except to make them zero.

use crate::pages::{Access, Pages};
use memtwin_models::Unsupported;
use memtwin_models::brk_heap::{
    BSS_START, ENOMEM, FIRST_EXTENT_BYTES, GUEST_END, MMAP_START, PAGE_BYTES, Refusal, STACK_BYTES, Setup,
};

const PAGES: usize = 1 << 18;
const _: () = assert!(PAGES as u64 * PAGE_BYTES == GUEST_END);
/// -EINVAL, as a system call returns it.
pub(super) const EINVAL: u64 = 22_u64.wrapping_neg();

/// The kernel of the simulated process, and its memory.
#[derive(Debug)]
pub struct Kernel {
    /// The memory. A page is mapped if it can be read.
    pub(super) pages: Pages,
    /// The first break.
    pub heap_start: u64,
    /// The break.
    pub program_break: u64,
    /// The pages that the heap may have.
    pub frames: u64,
    /// What the break is rounded up to.
    pub granularity: u64,
    /// Where the stack begins.
    pub stack_low: u64,
    refusal: Refusal,
    dirty_pages: bool,
    /// A bit for each page that may not hold zeros, and their numbers.
    touched: Box<[u64]>,
    touched_pages: Vec<u32>,
    /// The end of what was ever mapped of the heap, and of what was mapped without an address.
    heap_high: u64,
    mmap_high: u64,
    pub(super) mmapped_pages: u64,
}

impl Kernel {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let mut kernel = Kernel {
            pages: Pages::new(GUEST_END)?,
            heap_start: setup.heap_start(),
            program_break: setup.heap_start(),
            frames: u64::from(setup.frames),
            granularity: setup.granularity.bytes(),
            stack_low: setup.stack_low.0,
            refusal: setup.refusal,
            dirty_pages: setup.dirty_pages,
            touched: vec![0; PAGES / 64].into(),
            touched_pages: Vec::with_capacity(setup.frames as usize + page_of(setup.heap_start() + STACK_BYTES)),
            heap_high: setup.heap_start(),
            mmap_high: MMAP_START,
            mmapped_pages: 0,
        };
        kernel.map(BSS_START, kernel.heap_start);
        kernel.map(kernel.stack_low, kernel.stack_low + STACK_BYTES);
        kernel.load_heap();
        Ok(kernel)
    }

    /// The loader maps 64 KiB at the heap's start, as far as the frames suffice.
    fn load_heap(&mut self) {
        let bytes = FIRST_EXTENT_BYTES.min(self.frames * PAGE_BYTES);
        self.map(self.heap_start, self.heap_start + bytes);
        self.heap_high = self.heap_start + bytes;
    }

    /// As it was when new, at a cost that follows what was touched and mapped.
    pub(super) fn reset(&mut self) {
        let mut pages = std::mem::take(&mut self.touched_pages);
        for page in pages.drain(..) {
            let start = u64::from(page) * PAGE_BYTES;
            self.touched[page as usize / 64] &= !(1 << (page % 64));
            match self.pages.bytes_mut(start, PAGE_BYTES) {
                Some(bytes) => bytes.fill(0),
                None => self.pages.discard_page(start),
            }
        }
        self.touched_pages = pages;
        let first = self.heap_start + FIRST_EXTENT_BYTES.min(self.frames * PAGE_BYTES);
        if self.heap_high != first || self.first_unmapped(self.heap_start, first).is_some() {
            self.unmap(first, self.heap_high);
            self.load_heap();
        }
        self.unmap(MMAP_START, self.mmap_high);
        self.mmap_high = MMAP_START;
        self.mmapped_pages = 0;
        self.program_break = self.heap_start;
    }

    #[inline]
    pub(super) fn is_mapped(&self, address: u64) -> bool {
        self.pages.is_readable(address)
    }

    /// The first address of the range that lies in no mapped page. The range may wrap around.
    #[inline]
    pub(super) fn first_unmapped(&self, start: u64, end: u64) -> Option<u64> {
        self.pages.first_unreadable(start, end)
    }

    /// The first mapped page between the break, or the end of what the loader mapped, and the stack, or the place of
    /// mappings.
    pub(super) fn first_mapped_above(&self) -> Option<u64> {
        let loaded = self.heap_start + FIRST_EXTENT_BYTES;
        let from = self.program_break.next_multiple_of(PAGE_BYTES).max(loaded);
        self.pages.first_readable(from, self.stack_low.min(MMAP_START))
    }

    /// Maps whole pages.
    pub(super) fn map(&mut self, start: u64, end: u64) {
        self.pages.protect(start, end, Access::ReadWrite);
    }

    /// Unmaps whole pages. What they held is gone when they come back, unless the setup says that nobody cleans.
    pub(super) fn unmap(&mut self, start: u64, end: u64) {
        if !self.dirty_pages {
            for page in page_of(start)..page_of(end) {
                let is_touched = self.touched[page / 64] >> (page % 64) & 1 != 0;
                if is_touched && let Some(bytes) = self.pages.bytes_mut(page as u64 * PAGE_BYTES, PAGE_BYTES) {
                    bytes.fill(0);
                }
            }
        }
        self.pages.protect(start, end, Access::None);
    }

    /// The program is about to store there: mapped pages below the end of the guest.
    #[inline]
    pub(super) fn note_touched(&mut self, start: u64, end: u64) {
        if end <= start {
            return;
        }
        for page in page_of(start)..=page_of(end - 1) {
            let bit = 1 << (page % 64);
            if self.touched[page / 64] & bit == 0 {
                self.touched[page / 64] |= bit;
                #[allow(clippy::cast_possible_truncation)] // below 2^18
                self.touched_pages.push(page as u32);
            }
        }
    }

    /// Moves the break and maps or unmaps what that takes.
    pub fn move_break(&mut self, to: u64) {
        self.move_break_unmapping(to, u64::MAX);
    }

    /// The same, but unmaps no more than so many pages.
    pub fn move_break_unmapping(&mut self, to: u64, most_pages: u64) {
        let high = self.heap_high;
        let mapped_end = to.next_multiple_of(PAGE_BYTES);
        if high < mapped_end {
            self.map(high, mapped_end);
            self.heap_high = mapped_end;
        }
        // What lies above a lower break is gone, and comes back when the break rises over it again.
        if let Some(hole) = self.first_unmapped(self.heap_start, to) {
            self.map(hole & !(PAGE_BYTES - 1), mapped_end);
        }
        if to < self.program_break {
            let start = mapped_end.max(self.heap_start);
            let end = self.program_break.next_multiple_of(PAGE_BYTES).min(high);
            let most = start.saturating_add(most_pages.saturating_mul(PAGE_BYTES));
            self.unmap(start, end.min(most).max(start));
        }
        self.program_break = to;
    }

    /// The rounded break, but never above the present one for who asks for no more than that.
    #[must_use]
    pub fn settle(&self, argument: u64, rounded: u64) -> u64 {
        if argument <= self.program_break { rounded.min(self.program_break) } else { rounded }
    }

    /// What a refused `brk` answers, as the setup says.
    #[must_use]
    pub fn refuse(&self) -> u64 {
        match self.refusal {
            Refusal::CurrentBreak => self.program_break,
            Refusal::Zero => 0,
            Refusal::Enomem => ENOMEM,
        }
    }

    /// The pages that the heap would have with this break.
    #[must_use]
    pub fn fits_frames(&self, to: u64, more_pages: u64) -> bool {
        let pages = to.saturating_sub(self.heap_start).div_ceil(PAGE_BYTES);
        pages.saturating_add(self.mmapped_pages).saturating_add(more_pages) <= self.frames
    }

    /// Maps so many pages where there is room. Mappings of a setup never reach the stack: its frames do not suffice.
    pub(super) fn mmap(&mut self, pages: u64) -> u64 {
        let bytes = pages * PAGE_BYTES;
        let mut start = MMAP_START;
        let mut end = start;
        while end < start + bytes {
            end += PAGE_BYTES;
            if self.is_mapped(end - PAGE_BYTES) {
                start = end;
            }
        }
        self.map(start, end);
        self.mmap_high = self.mmap_high.max(end);
        self.mmapped_pages += pages;
        start
    }

    /// Unmaps what is mapped of the range, which was mapped without an address.
    pub(super) fn munmap(&mut self, start: u64, bytes: u64) -> u64 {
        let end = start.saturating_add(bytes).next_multiple_of(PAGE_BYTES);
        if start < MMAP_START || self.mmap_high < end || !start.is_multiple_of(PAGE_BYTES) {
            return EINVAL;
        }
        let mapped = (page_of(start)..page_of(end)).filter(|page| self.is_mapped(*page as u64 * PAGE_BYTES));
        self.mmapped_pages -= mapped.count() as u64;
        self.unmap(start, end);
        0
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // x86-64
const fn page_of(address: u64) -> usize {
    (address / PAGE_BYTES) as usize
}
