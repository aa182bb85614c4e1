//! Memory as one flat array of bytes, kept sparsely. Does not know of devices, errors or reservations: callers have
//! checked that every access lies within the memory.

use super::super::setup::MAX_MEMORY_BYTES;
use crate::Payload;

const PAGE_BYTES: usize = 4096;
const LINE_BYTES: usize = 64;
/// The slot of the shared page that stands for every page never written. It is never written itself.
const ZERO_SLOT: usize = 0;

/// A sparse memory whose fresh bytes are zero.
///
/// Reads of absent pages find the shared zero page, so that they need no branch. Each page knows which of its lines
/// were written: a reset costs in proportion to what was touched, and hands out the same few pages again.
#[derive(Debug, Clone)]
pub(super) struct FlatMemory {
    size: u64,
    /// The slot of each page of the memory. Made of zeroes the operating system provides lazily; never shrinks.
    slots: Vec<u32>,
    pool: Vec<Page>,
    /// The slots in use: below this index of the pool, the zero page included.
    used: usize,
}

/// Aligned to a cache line so that a line of the memory is one of the host's.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Page {
    bytes: [u8; PAGE_BYTES],
    /// One bit for each line that may hold something else than zeroes.
    dirty_lines: u64,
    number: u32,
}

impl Page {
    const FRESH: Page = Page { bytes: [0; PAGE_BYTES], dirty_lines: 0, number: 0 };
}

impl FlatMemory {
    /// A memory of `size` zeroes.
    pub(super) fn new(size: u64) -> Self {
        let mut memory = FlatMemory { size, slots: Vec::new(), pool: vec![Page::FRESH], used: 1 };
        memory.reset(size);
        memory
    }

    /// Returns to a memory of `size` zeroes.
    pub(super) fn reset(&mut self, size: u64) {
        assert!(size <= MAX_MEMORY_BYTES, "a memory of {size:#x} bytes is above the limit {MAX_MEMORY_BYTES:#x}");
        for page in &mut self.pool[1..self.used] {
            clear_lines(page);
            self.slots[page.number as usize] = 0;
        }
        self.used = 1;
        self.size = size;
        let pages = as_index(size.div_ceil(PAGE_BYTES as u64));
        if self.slots.len() < pages {
            self.slots = vec![0; pages];
        }
    }

    /// The `size` bytes at `address` as a little-endian number; `size` is 1 to 8.
    #[inline]
    pub(super) fn load(&self, address: u64, size: u8) -> u64 {
        let offset = page_offset(address);
        if offset > PAGE_BYTES - 8 {
            return self.load_near_page_end(address, size);
        }
        word_at(self.page(address), offset) & mask(size)
    }

    /// Stores the low `size` bytes of `value` at `address`, little-endian; `size` is 1 to 8.
    #[inline]
    pub(super) fn store(&mut self, address: u64, value: u64, size: u8) {
        let offset = page_offset(address);
        if offset > PAGE_BYTES - 8 {
            self.store_bytes(address, &value.to_le_bytes()[..usize::from(size)]);
            return;
        }
        let page = self.page_mut(page_number(address));
        let kept = word_at(&page.bytes, offset) & !mask(size);
        page.bytes[offset..offset + 8].copy_from_slice(&(kept | value & mask(size)).to_le_bytes());
        page.dirty_lines |= 1 << (offset / LINE_BYTES) | 1 << ((offset + usize::from(size) - 1) / LINE_BYTES);
    }

    /// Stores `bytes` at `address`.
    pub(super) fn store_bytes(&mut self, address: u64, bytes: &[u8]) {
        for (address, piece) in pieces(address, bytes) {
            let offset = page_offset(address);
            let page = self.page_mut(page_number(address));
            page.bytes[offset..offset + piece.len()].copy_from_slice(piece);
            page.dirty_lines |= lines_of(offset, piece.len());
        }
    }

    /// Replaces every byte by the pattern of `payload`.
    pub(super) fn store_everywhere(&mut self, payload: Payload) {
        let mut address = 0;
        while address < self.size {
            let length = as_index((self.size - address).min(PAGE_BYTES as u64));
            let page = self.page_mut(page_number(address));
            payload.fill(address, &mut page.bytes[..length]);
            page.dirty_lines |= lines_of(0, length);
            address += PAGE_BYTES as u64;
        }
    }

    /// The address of the first byte in which the memory at `address` differs from `bytes`.
    #[inline]
    pub(super) fn first_difference(&self, address: u64, bytes: &[u8]) -> Option<u64> {
        pieces(address, bytes).find_map(|(address, piece)| {
            let offset = page_offset(address);
            let kept = &self.page(address)[offset..offset + piece.len()];
            // One comparison of slices is what costs in the common case; the place is searched only after it failed.
            (kept != piece).then(|| address + position_of_difference(kept, piece))
        })
    }

    /// The address of the first of so many bytes from `address` on in which two memories differ.
    pub(super) fn first_difference_from(&self, other: &FlatMemory, address: u64, length: u64) -> Option<u64> {
        let (mut low, end) = (address, address + length);
        while low < end {
            let offset = page_offset(low);
            let count = as_index((end - low).min((PAGE_BYTES - offset) as u64));
            let difference = other.first_difference(low, &self.page(low)[offset..offset + count]);
            if difference.is_some() {
                return difference;
            }
            low += count as u64;
        }
        None
    }

    /// Copies so many bytes from `address` on from another memory.
    pub(super) fn copy_from(&mut self, other: &FlatMemory, address: u64, length: u64) {
        let (mut low, end) = (address, address + length);
        while low < end {
            let offset = page_offset(low);
            let count = as_index((end - low).min((PAGE_BYTES - offset) as u64));
            self.store_bytes(low, &other.page(low)[offset..offset + count]);
            low += count as u64;
        }
    }

    /// Copies the memory from `address` on into `target`.
    pub(super) fn copy_to(&self, address: u64, target: &mut [u8]) {
        for (index, byte) in (address..).zip(target) {
            *byte = self.page(index)[page_offset(index)];
        }
    }

    /// Calls `visit` with (address, length in bytes) of each run of lines, within one page, that were written or lie
    /// beside written ones. Pages come in the order of their first store.
    pub(super) fn visit_touched(&self, mut visit: impl FnMut(u64, u64)) {
        for page in &self.pool[1..self.used] {
            let mut lines = page.dirty_lines | page.dirty_lines << 1 | page.dirty_lines >> 1;
            let start = u64::from(page.number) * PAGE_BYTES as u64;
            while lines != 0 {
                let first = lines.trailing_zeros();
                let count = (lines >> first).trailing_ones();
                let low = start + u64::from(first) * LINE_BYTES as u64;
                let high = (low + u64::from(count) * LINE_BYTES as u64).min(self.size);
                if low < high {
                    visit(low, high - low);
                }
                lines &= !(u64::MAX >> (64 - count) << first);
            }
        }
    }

    #[inline]
    fn page(&self, address: u64) -> &[u8; PAGE_BYTES] {
        &self.pool[self.slots[page_number(address)] as usize].bytes
    }

    #[inline]
    fn page_mut(&mut self, number: usize) -> &mut Page {
        let mut slot = self.slots[number] as usize;
        if slot == ZERO_SLOT {
            slot = self.take_page(number);
        }
        &mut self.pool[slot]
    }

    #[cold]
    fn take_page(&mut self, number: usize) -> usize {
        let slot = self.used;
        if slot == self.pool.len() {
            self.pool.push(Page::FRESH);
        }
        self.used += 1;
        // Both are below the 2^24 pages of the largest memory, one more for the zero page.
        self.pool[slot].number = u32::try_from(number).expect("a page number is below 2^24");
        self.slots[number] = u32::try_from(slot).expect("a slot is at most 2^24");
        slot
    }

    #[cold]
    fn load_near_page_end(&self, address: u64, size: u8) -> u64 {
        let mut bytes = [0; 8];
        self.copy_to(address, &mut bytes[..usize::from(size)]);
        u64::from_le_bytes(bytes)
    }
}

/// The low `size` bytes of a number; `size` is 1 to 8.
#[inline]
pub(super) fn mask(size: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(size))
}

/// The index of the first byte in which two slices differ, or their common length.
pub(super) fn position_of_difference(left: &[u8], right: &[u8]) -> u64 {
    left.iter().zip(right).take_while(|(left, right)| left == right).count() as u64
}

fn clear_lines(page: &mut Page) {
    if page.dirty_lines == u64::MAX {
        page.bytes.fill(0);
        page.dirty_lines = 0;
    }
    while page.dirty_lines != 0 {
        let start = page.dirty_lines.trailing_zeros() as usize * LINE_BYTES;
        page.bytes[start..start + LINE_BYTES].fill(0);
        page.dirty_lines &= page.dirty_lines - 1;
    }
}

/// The parts of `bytes` that lie in one page each, with their addresses.
#[inline]
fn pieces(address: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut next = (address, bytes);
    std::iter::from_fn(move || {
        let (address, rest) = next;
        let (piece, rest) = rest.split_at(rest.len().min(PAGE_BYTES - page_offset(address)));
        next = (address.wrapping_add(piece.len() as u64), rest);
        (!piece.is_empty()).then_some((address, piece))
    })
}

#[inline]
fn lines_of(offset: usize, length: usize) -> u64 {
    let first = offset / LINE_BYTES;
    let last = (offset + length - 1) / LINE_BYTES;
    u64::MAX >> (63 - (last - first)) << first
}

#[inline]
fn word_at(page: &[u8; PAGE_BYTES], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&page[offset..offset + 8]);
    u64::from_le_bytes(word)
}

#[inline]
fn page_number(address: u64) -> usize {
    as_index(address / PAGE_BYTES as u64)
}

#[inline]
fn page_offset(address: u64) -> usize {
    as_index(address % PAGE_BYTES as u64)
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // only x86-64 is supported: an index has 64 bits
fn as_index(value: u64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_and_bytes_agree_at_page_ends() {
        let mut memory = FlatMemory::new(3 * 4096 + 5);
        for address in [0, 4085, 4088, 4089, 4095, 4096, 8190, 3 * 4096 - 3] {
            for size in [1, 2, 4, 8] {
                let value = 0x8877_6655_4433_2211 ^ address;
                memory.store(address, value, size);
                assert_eq!(memory.load(address, size), value & mask(size), "{size} bytes at {address:#x}");
                assert_eq!(memory.first_difference(address, &value.to_le_bytes()[..usize::from(size)]), None);
            }
        }
        assert_eq!(memory.first_difference(4085, &[0xff]), Some(4085));
    }

    #[test]
    fn touched_runs_hold_the_written_lines_and_their_neighbours() {
        let mut memory = FlatMemory::new(0x3010);
        memory.store(0x0fff, 0, 2);
        memory.store_bytes(0x3000, &[1; 16]);
        memory.store(0x200, 0, 1);
        let mut runs = Vec::new();
        memory.visit_touched(|address, length| runs.push((address, length)));
        assert_eq!(runs, [(0x1c0, 0xc0), (0xf80, 0x80), (0x1000, 0x80), (0x3000, 0x10)]);
    }

    #[test]
    fn a_reset_memory_is_zero_and_reuses_its_pages() {
        let mut memory = FlatMemory::new(0x4000);
        memory.store_everywhere(Payload { seed: 7, length: 0x4000 });
        memory.store(0x3fff, 0xff, 1);
        memory.reset(0x2001);
        assert_eq!(memory.first_difference(0, &[0; 0x2001]), None);
        memory.store(0x2000, 0xff, 1);
        memory.reset(0x8000);
        assert_eq!(memory.first_difference(0, &[0; 0x8000]), None);
        assert_eq!((memory.pool.len(), memory.used), (5, 1));
    }
}
