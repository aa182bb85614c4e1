//! Which pages were written: a bit for each, and dumps of those pages that lose none, whatever fails.
//!
//! A store marks its pages while it holds the locks of its bytes, after it has stored. A dump first moves the marks to
//! a second set of bits, then reads the pages: what it reads holds every store whose mark it took, and a later store
//! marks its page again. The second set is emptied when all of its pages are in the image. Where a page is refused, or
//! the image panics, it stays, and whoever looks at the log next finds it: a page is in one of the two sets from its
//! store on until it is safe.
//!
//! Does not see what devices take, which is no store to memory. A page is 4096 bytes from a multiple of that on,
//! wherever memory begins.

use super::access::{GuestPhysAddr, GuestRange, VmError};
use super::memory::Memory;
use super::physical::PhysicalHandle;
use super::soft_mmu::SoftMmu;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The size of a page in bytes, as a power of two.
const PAGE_SHIFT: u32 = 12;
const PAGE_BYTES: usize = 1 << PAGE_SHIFT;
const WORD_BITS: usize = u64::BITS as usize;

/// An image that pages are written to.
pub trait PageImage {
    /// Takes these bytes, which memory has from `pa` on: at most a page.
    fn write(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), ImageError>;
}

/// The image cannot take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageError;

/// A dump did not come to its end. The log is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpError {
    /// The image refused a page.
    Image(ImageError),
    /// Memory refused a page.
    Memory(VmError),
}

impl fmt::Display for DumpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DumpError::Image(ImageError) => formatter.write_str("the image refused a page"),
            DumpError::Memory(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for DumpError {}

/// Pages in a row, and the first bit of theirs.
#[derive(Debug, Clone, Copy)]
struct Run {
    first_page: u64,
    last_page: u64,
    first_bit: usize,
}

/// The log of a memory.
#[derive(Debug)]
pub struct DirtyLog {
    /// Where memory lies, ascending.
    ranges: Vec<GuestRange>,
    /// Its pages, ascending.
    runs: Vec<Run>,
    written: Box<[AtomicU64]>,
    /// What a dump took and has not brought to its end.
    unfinished: Mutex<Box<[u64]>>,
}

impl DirtyLog {
    /// An empty log of a memory that lies in these ranges, sorted by address.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = GuestRange>) -> Self {
        let ranges: Vec<GuestRange> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        let mut runs: Vec<Run> = Vec::new();
        let mut bits = 0;
        for range in &ranges {
            let (mut first_page, last_page) = (range.start() >> PAGE_SHIFT, (range.end() - 1) >> PAGE_SHIFT);
            // Two ranges may share a page.
            first_page += u64::from(runs.last().is_some_and(|last| last.last_page == first_page));
            if first_page <= last_page {
                runs.push(Run { first_page, last_page, first_bit: bits });
                bits += usize::try_from(last_page - first_page + 1).unwrap_or(usize::MAX);
            }
        }
        let words = bits.div_ceil(WORD_BITS);
        let unfinished = Mutex::new(vec![0; words].into_boxed_slice());
        DirtyLog { ranges, runs, written: (0..words).map(|_| AtomicU64::new(0)).collect(), unfinished }
    }

    /// The pages of a range were written. The caller holds the locks of its bytes and has stored them.
    pub(crate) fn mark(&self, range: GuestRange) {
        if range.is_empty() {
            return;
        }
        let (first, last) = (range.start() >> PAGE_SHIFT, (range.end() - 1) >> PAGE_SHIFT);
        for run in &self.runs {
            for page in first.max(run.first_page)..=last.min(run.last_page) {
                let bit = run.first_bit + usize::try_from(page - run.first_page).unwrap_or(usize::MAX);
                if let Some(word) = self.written.get(bit / WORD_BITS) {
                    word.fetch_or(1 << (bit % WORD_BITS), Ordering::Release);
                }
            }
        }
    }

    /// Calls `visit` with each page that was written since it was last safe, ascending.
    pub fn pages(&self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        let unfinished = self.unfinished();
        for (index, (word, left)) in self.written.iter().zip(unfinished.iter()).enumerate() {
            self.visit(index, word.load(Ordering::Acquire) | left, visit);
        }
    }

    /// The same, and empties the log: the caller sees to the pages.
    pub fn take(&self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        let mut unfinished = self.unfinished();
        for (index, (word, left)) in self.written.iter().zip(unfinished.iter_mut()).enumerate() {
            self.visit(index, word.swap(0, Ordering::AcqRel) | std::mem::take(left), visit);
        }
    }

    /// Writes the pages of the log to an image, ascending, and empties the log if all could be written. Pages that are
    /// stored to meanwhile stay in it.
    pub fn dump(&self, memory: &impl Memory, image: &mut dyn PageImage) -> Result<(), DumpError> {
        let mut unfinished = self.unfinished();
        for (word, left) in self.written.iter().zip(unfinished.iter_mut()) {
            *left |= word.swap(0, Ordering::AcqRel);
        }
        let mut dumped = Ok(());
        for (index, word) in unfinished.iter().enumerate() {
            self.visit(index, *word, &mut |page| {
                if dumped.is_ok() {
                    dumped = self.dump_page(page, memory, image);
                }
            });
        }
        if dumped.is_ok() {
            unfinished.fill(0);
        }
        dumped
    }

    fn dump_page(&self, page: GuestPhysAddr, memory: &impl Memory, image: &mut dyn PageImage) -> Result<(), DumpError> {
        let mut buffer = [0; PAGE_BYTES];
        let last = page.get() | (PAGE_BYTES as u64 - 1);
        for range in self.ranges.iter().filter(|range| page.get() < range.end() && range.start() <= last) {
            let (low, high) = (range.start().max(page.get()), (range.end() - 1).min(last));
            let length = usize::try_from(high - low + 1).unwrap_or(PAGE_BYTES);
            let (low, bytes) = (GuestPhysAddr::new(low), &mut buffer[..length]);
            memory.load_bulk(low, bytes).map_err(DumpError::Memory)?;
            image.write(low, bytes).map_err(DumpError::Image)?;
        }
        Ok(())
    }

    /// Calls `visit` with the page of each bit of a word.
    fn visit(&self, index: usize, mut bits: u64, visit: &mut dyn FnMut(GuestPhysAddr)) {
        while bits != 0 {
            let bit = index * WORD_BITS + bits.trailing_zeros() as usize;
            let run = self.runs.iter().rev().find(|run| run.first_bit <= bit);
            if let Some(run) = run {
                visit(GuestPhysAddr::new((run.first_page + (bit - run.first_bit) as u64) << PAGE_SHIFT));
            }
            bits &= bits - 1;
        }
    }

    /// A panic of an image leaves the bits as they were, so a poisoned mutex is as good as new.
    fn unfinished(&self) -> MutexGuard<'_, Box<[u64]>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log of the memory behind a virtual CPU. Memory without a log has written no page.
pub trait WriteLog {
    /// Calls `visit` with the address of each page that was written since the log was emptied.
    fn dirty_log(&self, visit: &mut dyn FnMut(GuestPhysAddr));

    /// The same, and empties the log.
    fn take_dirty_log(&mut self, visit: &mut dyn FnMut(GuestPhysAddr));

    /// Writes the pages of the log to an image, and empties the log if all could be written.
    fn dump_dirty(&mut self, image: &mut dyn PageImage) -> Result<(), DumpError>;
}

fn pages(memory: &impl Memory, visit: &mut dyn FnMut(GuestPhysAddr)) {
    if let Some(log) = memory.dirty_log() {
        log.pages(visit);
    }
}

fn take(memory: &impl Memory, visit: &mut dyn FnMut(GuestPhysAddr)) {
    if let Some(log) = memory.dirty_log() {
        log.take(visit);
    }
}

fn dump(memory: &impl Memory, image: &mut dyn PageImage) -> Result<(), DumpError> {
    memory.dirty_log().map_or(Ok(()), |log| log.dump(memory, image))
}

impl WriteLog for PhysicalHandle {
    fn dirty_log(&self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        pages(self.memory(), visit);
    }

    fn take_dirty_log(&mut self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        take(self.memory(), visit);
    }

    fn dump_dirty(&mut self, image: &mut dyn PageImage) -> Result<(), DumpError> {
        dump(self.memory(), image)
    }
}

impl<M: Memory> WriteLog for SoftMmu<M> {
    fn dirty_log(&self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        pages(&**self.memory(), visit);
    }

    fn take_dirty_log(&mut self, visit: &mut dyn FnMut(GuestPhysAddr)) {
        take(&**self.memory(), visit);
    }

    fn dump_dirty(&mut self, image: &mut dyn PageImage) -> Result<(), DumpError> {
        dump(&**self.memory(), image)
    }
}
