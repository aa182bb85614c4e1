//! The memory of the simulated process: pages with their protections, loads and stores that really happen, errno, the
//! gates of system calls, and what libc keeps beside its blocks. Does not look at what a pointer means.

use super::layout::{
    APART_BYTES, ARENA_END, BIG_CACHE, BOOT, FOREIGN, L25, LIBC, MID, MMAP, SUPERSLABS_START, page_number,
};
use super::libc_heap::LibcHeap;
use super::page_map::{EAGAIN, ENOMEM, Gate, PageMap};
use crate::pages::{Access, Pages};
use memtwin_models::Unsupported;
use memtwin_models::header_free::{Libc, PAGE_BYTES, Protection, Setup};

#[allow(clippy::cast_possible_truncation)] // 32,768
const ARENA_PAGES: usize = (ARENA_END / PAGE_BYTES) as usize;
const LINE_BYTES: u64 = 64;
/// What libc has beside its blocks.
const LIBCS_OWN: u8 = 0xfd;
/// Areas in which nothing is mapped at the start, of both arenas.
const ONLY_MAPPED: [std::ops::Range<u64>; 5] = [
    MMAP.start..MMAP.end(),
    FOREIGN.start..FOREIGN.end(),
    SUPERSLABS_START..ARENA_END,
    APART_BYTES + MMAP.start..APART_BYTES + MMAP.end(),
    APART_BYTES + SUPERSLABS_START..APART_BYTES + ARENA_END,
];

/// The memory.
#[derive(Debug)]
pub struct Memory {
    pages: Pages,
    pub(super) map: PageMap,
    libc: LibcHeap,
    pub(super) errno: i32,
    munmap: Gate,
    madvise: Gate,
    /// Whether the kernel refused a munmap since this was last asked.
    munmap_failed: bool,
    /// The first byte of libc's own that was found changed when a block was given up.
    libc_damage: Option<u64>,
    /// For each page a bit for each of its lines that may not hold zeros.
    dirty_lines: Box<[u64]>,
    dirty_pages: Vec<u64>,
    /// What was mapped since the start, as ranges of pages.
    mapped: Vec<(u64, u64)>,
}

impl Memory {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let (end, page_count) =
            if setup.two_arenas { (APART_BYTES + ARENA_END, 2 * ARENA_PAGES) } else { (ARENA_END, ARENA_PAGES) };
        let mut memory = Memory {
            pages: Pages::new(end)?,
            map: PageMap::new(page_count, setup.mincore),
            libc: LibcHeap::new(setup.libc),
            errno: 0,
            munmap: Gate::new(setup.munmap),
            madvise: Gate::new(setup.madvise),
            munmap_failed: false,
            libc_damage: None,
            dirty_lines: vec![0; page_count].into(),
            dirty_pages: Vec::with_capacity(1024),
            mapped: Vec::with_capacity(1024),
        };
        memory.protect(BOOT.start, BOOT.end(), Protection::ReadWrite);
        for windows in [MID, L25, BIG_CACHE] {
            memory.protect(windows.start, windows.end(), Protection::ReadWrite);
            if setup.two_arenas {
                memory.protect(APART_BYTES + windows.start, APART_BYTES + windows.end(), Protection::ReadWrite);
            }
        }
        if setup.libc == Libc::Ledger {
            for index in 0..LIBC.count {
                let start = LIBC.memory(index);
                memory.protect(start, start + LIBC.bytes, Protection::ReadWrite);
            }
        }
        Ok(memory)
    }

    /// As it was when new, at a cost that follows what was touched and mapped.
    pub(super) fn reset(&mut self) {
        self.libc.reset();
        self.map.reset();
        self.errno = 0;
        self.munmap.reset();
        self.madvise.reset();
        (self.munmap_failed, self.libc_damage) = (false, None);
        let mut dirty = std::mem::take(&mut self.dirty_pages);
        for page in dirty.drain(..) {
            self.clean(page);
        }
        self.dirty_pages = dirty;
        let mut mapped = std::mem::take(&mut self.mapped);
        let mut bounds = [(u64::MAX, 0); ONLY_MAPPED.len()];
        for (start, end) in mapped.drain(..) {
            match ONLY_MAPPED.iter().position(|area| area.contains(&start)) {
                Some(area) => bounds[area] = (bounds[area].0.min(start), bounds[area].1.max(end)),
                None => self.hide(start, end),
            }
        }
        // One call for all of an area, in which nothing is mapped at the start.
        for (start, end) in bounds {
            self.hide(start, end);
        }
        self.mapped = mapped;
    }

    /// Pages that hold zeros are not mapped from here on.
    fn hide(&mut self, start: u64, end: u64) {
        if start < end {
            self.pages.protect(start, end, Access::None);
            self.map.set(start, end, None);
        }
    }

    /// Lets a page hold zeros again. Pages that are not mapped always do.
    fn clean(&mut self, page: u64) {
        let Some(index) = page_number(page) else { return };
        let mut lines = std::mem::take(&mut self.dirty_lines[index]);
        if lines == 0 {
            return;
        }
        if self.map.get(page) != Some(Protection::ReadWrite) {
            self.protect(page, page + PAGE_BYTES, Protection::ReadWrite);
        }
        while lines != 0 {
            let first = u64::from(lines.trailing_zeros());
            let count = u64::from((lines >> first).trailing_ones());
            if let Some(bytes) = self.pages.bytes_mut(page + first * LINE_BYTES, count * LINE_BYTES) {
                bytes.fill(0);
            }
            lines &= !(u64::MAX >> (64 - count) << first);
        }
    }

    fn protect(&mut self, start: u64, end: u64, protection: Protection) {
        let access = match protection {
            Protection::None => Access::None,
            Protection::Read => Access::Read,
            Protection::ReadWrite => Access::ReadWrite,
        };
        self.pages.protect(start, end, access);
        self.map.set(start, end, Some(protection));
    }

    /// Maps whole pages, which are not mapped.
    pub(super) fn map(&mut self, start: u64, end: u64) {
        match self.mapped.iter_mut().find(|range| range.0 == start) {
            Some(range) => range.1 = range.1.max(end),
            None => self.mapped.push((start, end)),
        }
        self.protect(start, end, Protection::ReadWrite);
    }

    /// Where an address is in this process: for a program that really uses the allocator.
    pub(super) fn host(&self, address: u64) -> *mut u8 {
        self.pages.host_of(address)
    }

    /// The simulated address of an address of this process.
    pub(super) fn simulated(&self, pointer: *const u8) -> Option<u64> {
        self.pages.address_of(pointer)
    }

    /// `munmap` by the allocator: whether the kernel did it. Else errno says why not.
    pub(super) fn munmap(&mut self, start: u64, end: u64) -> bool {
        if self.munmap.fails() {
            (self.errno, self.munmap_failed) = (ENOMEM, true);
            return false;
        }
        self.unmap(start, end);
        true
    }

    /// Whether the kernel refused a `munmap` since this was last asked.
    pub(super) const fn take_munmap_failed(&mut self) -> bool {
        std::mem::replace(&mut self.munmap_failed, false)
    }

    /// `madvise`: what these pages hold is not needed any more. Whether the kernel took the advice.
    pub(super) fn advise(&mut self, start: u64, end: u64) -> bool {
        if self.madvise.fails() {
            self.errno = EAGAIN;
            return false;
        }
        for page in (start..end).step_by(4096) {
            self.clean(page);
        }
        true
    }

    /// libc's `aligned_alloc`; null as `None`.
    pub(super) fn libc_alloc(&mut self, bytes: u64, align: u64) -> Option<u64> {
        let block = self.libc.alloc(bytes, align)?;
        self.mark_beside(block);
        Some(block)
    }

    /// libc's `free`: whether it knew the block.
    pub(super) fn libc_free(&mut self, pointer: u64) -> bool {
        self.libc_damage = self.libc_damage.or_else(|| self.damage_beside(pointer));
        self.libc.free(pointer)
    }

    /// libc's `realloc` of a live block, which keeps its place; whether there is memory.
    pub(super) fn libc_resize(&mut self, pointer: u64, bytes: u64) -> bool {
        self.libc_damage = self.libc_damage.or_else(|| self.damage_beside(pointer));
        let is_done = self.libc.resize(pointer, bytes);
        self.mark_beside(pointer);
        is_done
    }

    /// libc's `malloc_usable_size`; `None` where it does not know the block.
    pub(super) fn libc_usable_bytes(&self, pointer: u64) -> Option<u64> {
        self.libc.usable_bytes(pointer)
    }

    /// The blocks that libc holds.
    pub(super) const fn libc_blocks(&self) -> u64 {
        self.libc.live()
    }

    /// A byte of libc's own that somebody else wrote.
    pub(super) fn libc_damage(&self) -> Option<u64> {
        self.libc_damage.or_else(|| self.libc.starts().find_map(|start| self.damage_beside(start)))
    }

    fn mark_beside(&mut self, block: u64) {
        for range in self.libc.beside(block) {
            #[allow(clippy::cast_possible_truncation)] // a few bytes
            let length = (range.end - range.start) as usize;
            self.store(range.start, &[LIBCS_OWN; 16][..length]);
        }
    }

    fn damage_beside(&self, block: u64) -> Option<u64> {
        let mut bytes = self.libc.beside(block).into_iter().flatten();
        bytes.find(|address| self.pages.bytes(*address, 1).is_some_and(|bytes| bytes[0] != LIBCS_OWN))
    }

    /// Unmaps whole pages that were mapped.
    pub(super) fn unmap(&mut self, start: u64, end: u64) {
        for page in (start..end).step_by(4096) {
            self.clean(page);
        }
        self.hide(start, end);
    }

    /// Changes the protection of a mapped page.
    pub(super) fn protect_page(&mut self, page: u64, protection: Protection) {
        self.protect(page, page + PAGE_BYTES, protection);
    }

    /// Whether every byte of a range can be read.
    pub fn is_readable(&self, address: u64, length: u64) -> bool {
        self.map.is_readable(address, length)
    }

    /// `mincore`; sets errno as the real one does.
    pub(super) fn mincore(&mut self, address: u64, length: u64) -> Result<(), i32> {
        let answer = self.map.mincore(address, length);
        if let Err(number) = answer {
            self.errno = number;
        }
        answer
    }

    /// Copies bytes to an address, wherever that is.
    #[inline]
    pub(super) fn store(&mut self, address: u64, bytes: &[u8]) {
        match self.pages.bytes_mut(address, bytes.len() as u64) {
            Some(target) => {
                target.copy_from_slice(bytes);
                self.note_dirty(address, bytes.len() as u64);
            }
            None => self.store_bytewise(address, bytes),
        }
    }

    fn store_bytewise(&mut self, address: u64, bytes: &[u8]) {
        if let Some(block) = self.libc.real_bytes_mut(address, bytes.len()) {
            block.copy_from_slice(bytes);
            return;
        }
        for (address, byte) in (0..).map(|offset| address.wrapping_add(offset)).zip(bytes) {
            if self.map.is_writable(address, 1) {
                self.note_dirty(address, 1);
            }
            self.pages.store(address, *byte);
        }
    }

    /// Looks at bytes, wherever they are.
    #[inline]
    pub(super) fn load(&self, address: u64, bytes: &mut [u8]) {
        if let Some(source) = self.pages.bytes(address, bytes.len() as u64) {
            bytes.copy_from_slice(source);
        } else if let Some(block) = self.libc.real_bytes(address, bytes.len()) {
            bytes.copy_from_slice(block);
        } else {
            for (address, byte) in (0..).map(|offset| address.wrapping_add(offset)).zip(bytes) {
                *byte = self.pages.load(address);
            }
        }
    }

    /// A number of four bytes, wherever it is.
    pub fn load_u32(&self, address: u64) -> u32 {
        let mut bytes = [0; 4];
        self.load(address, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// Copies between two ranges that do not overlap.
    pub(super) fn copy(&mut self, from: u64, to: u64, length: u64) {
        let mut piece = [0; 512];
        let mut done = 0;
        while done < length {
            #[allow(clippy::cast_possible_truncation)] // at most 512
            let bytes = &mut piece[..(length - done).min(512) as usize];
            self.load(from.wrapping_add(done), bytes);
            self.store(to.wrapping_add(done), bytes);
            done += bytes.len() as u64;
        }
    }

    #[inline]
    fn note_dirty(&mut self, address: u64, length: u64) {
        if length == 0 {
            return;
        }
        let mut line = address & !(LINE_BYTES - 1);
        while line < address + length {
            let Some(index) = page_number(line) else { return };
            let first = line % PAGE_BYTES / LINE_BYTES;
            let last = ((address + length - 1).min(line | (PAGE_BYTES - 1)) % PAGE_BYTES) / LINE_BYTES;
            if self.dirty_lines[index] == 0 {
                self.dirty_pages.push(line & !(PAGE_BYTES - 1));
            }
            self.dirty_lines[index] |= u64::MAX >> (63 - (last - first)) << first;
            line = (line | (PAGE_BYTES - 1)) + 1;
        }
    }
}
