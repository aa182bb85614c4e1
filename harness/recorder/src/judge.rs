//! The laws that hold for a malloc whatever the program does with its blocks, judged call by call. Its sentences are
//! those of the component heap's model, with the freedoms of the contract `c`. Does not know what a program wrote, so
//! it cannot judge whether bytes stay.

use crate::blocks::{Block, Blocks};
use crate::marks::{GRAIN_SHIFT, LARGE_BYTES, Marks};
use crate::words::Words;
use memtwin_recording::{Kind, Law, Record};

/// The largest size that C allows.
const PTRDIFF_MAX: u64 = u64::MAX >> 1;
/// No process has memory in the last page of the address space.
const LAST_END: u64 = u64::MAX - 0xfff;
/// The most large blocks that are compared, as a power of two.
const LARGE_SHIFT: u32 = 10;
/// At each end of a block so many bytes are looked at after a reallocation.
const KEPT_BYTES: u64 = 128;
/// Of a block that is to be zero so many bytes are looked at at each end, and all if it has no more than twice as many.
const ZEROED_BYTES: u64 = 512 << 10;

/// A broken law, and where.
pub(crate) type Broken = (Law, u64);

/// What the judge knows besides the blocks.
#[derive(Debug)]
pub(crate) struct Judge {
    marks: Marks,
    /// Beginnings and ends of live blocks that are too large for marks, in turn, in no order.
    large: Words,
    large_count: usize,
    /// The bytes of a block that is given another size, a word each.
    kept: Words,
}

/// The parts of a block of so many bytes that are compared: its head, and where its tail begins.
fn ends(bytes: u64) -> (u64, u64) {
    let head = bytes.min(KEPT_BYTES);
    (head, bytes.saturating_sub(KEPT_BYTES).max(head))
}

/// Where the program's memory is. An address came from a pointer.
#[allow(clippy::cast_possible_truncation)] // addresses have the size of a pointer
fn at<T>(address: u64) -> *const T {
    std::ptr::with_exposed_provenance(address as usize)
}

fn byte(address: u64) -> u8 {
    // SAFETY: a byte of a block that is live, or was answered to the program, which may read it.
    unsafe { at::<u8>(address).read() }
}

/// The first byte of a range that is not zero.
fn nonzero(mut start: u64, end: u64) -> Option<u64> {
    while start < end {
        // SAFETY: as for a single byte; all eight are before the end.
        if 8 <= end - start && unsafe { at::<u64>(start).read_unaligned() } == 0 {
            start += 8;
        } else if byte(start) != 0 {
            return Some(start);
        } else {
            start += 1;
        }
    }
    None
}

/// What a block without an alignment is aligned to: the largest power of two not above its size, up to 16 (C23,
/// 7.24.3).
const fn natural_align(size: u64) -> u64 {
    match size {
        0 | 1 => 1,
        2..16 => 1 << size.ilog2(),
        16.. => 16,
    }
}

/// The end of a block for which even no bytes are a place of its own.
const fn end_of(address: u64, size: u64) -> u64 {
    address.saturating_add(if size == 0 { 1 } else { size })
}

impl Judge {
    pub(crate) fn reserve() -> Option<Self> {
        let large = Words::reserve(LARGE_SHIFT + 1)?;
        Some(Judge { marks: Marks::reserve()?, large, large_count: 0, kept: Words::reserve(9)? })
    }

    /// Judges a block that was answered to a request, and holds it to be live.
    pub(crate) fn given(&mut self, blocks: &Blocks, asked: &Record, address: u64) -> Option<Broken> {
        let Some(size) = asked.asked_bytes().filter(|size| *size <= PTRDIFF_MAX) else {
            return Some((Law::Refusal, 0));
        };
        let other = self.take(blocks, address, size);
        if !Self::is_aligned(asked, address, size) {
            return Some((Law::Aligned, address));
        }
        if address.checked_add(size).is_none_or(|end| LAST_END < end) {
            return Some((Law::Inside, address));
        }
        if let Some(other) = other {
            return Some((Law::Disjoint, other.address));
        }
        if asked.kind == Kind::Calloc {
            let end = address + size;
            let (head, tail) = (address + size.min(ZEROED_BYTES), end - size.min(ZEROED_BYTES));
            let found = nonzero(address, head).or_else(|| nonzero(tail.max(head), end));
            return found.map(|place| (Law::Zeroed, place - address));
        }
        None
    }

    fn is_aligned(asked: &Record, address: u64, size: u64) -> bool {
        match asked.asked_align() {
            None => address.is_multiple_of(natural_align(size)),
            // A size of no bytes, a strange alignment and, but for posix_memalign, a size that is no multiple leave it
            // free.
            Some(align) if size == 0 || !align.is_power_of_two() => true,
            Some(align) => {
                asked.kind != Kind::PosixMemalign && !size.is_multiple_of(align) || address.is_multiple_of(align)
            }
        }
    }

    /// Whether `posix_memalign` was right about its alignment.
    pub(crate) fn validity(asked: &Record, is_invalid: bool) -> Option<Broken> {
        let is_legal = asked.second.is_power_of_two() && 8 <= asked.second;
        (is_invalid == is_legal).then_some((Law::Invalid, asked.second))
    }

    /// A block is live; another one that it overlaps.
    fn take(&mut self, blocks: &Blocks, address: u64, size: u64) -> Option<Block> {
        let end = end_of(address, size);
        let is_large = LARGE_BYTES <= end - address;
        let is_near = self.marks.next(address >> GRAIN_SHIFT, (end - 1) >> GRAIN_SHIFT).is_some();
        let near = if is_near { self.overlapped(blocks, address, end) } else { None };
        let other = near.or_else(|| self.large_overlapped(blocks, address, end));
        if !is_large {
            self.marks.take(address, end);
        } else if self.large_count < 1 << LARGE_SHIFT {
            self.large.set(2 * self.large_count, address);
            self.large.set(2 * self.large_count + 1, end);
            self.large_count += 1;
        }
        other
    }

    /// The block that takes bytes of a range which has marks.
    fn overlapped(&self, blocks: &Blocks, address: u64, end: u64) -> Option<Block> {
        let meets = |block: &Block| address < end_of(block.address, block.size) && block.address < end;
        let beginning_in = |grain: u64| {
            let start = grain << GRAIN_SHIFT;
            (start..start + (1 << GRAIN_SHIFT)).rev().find_map(|place| blocks.find(place))
        };
        let (first, last) = (address >> GRAIN_SHIFT, (end - 1) >> GRAIN_SHIFT);
        let mut grain = first;
        while let Some(marked) = self.marks.next(grain, last) {
            if let Some(block) = beginning_in(marked).filter(meets) {
                return Some(block);
            }
            grain = marked + 1;
        }
        // Blocks do not overlap so far: the nearest one that begins before is the only one that can reach into the
        // range.
        let mut grain = first;
        while self.marks.has(grain) && first - grain < LARGE_BYTES >> GRAIN_SHIFT {
            grain -= 1;
            if let Some(block) = beginning_in(grain) {
                return Some(block).filter(meets);
            }
        }
        None
    }

    fn large_overlapped(&self, blocks: &Blocks, address: u64, end: u64) -> Option<Block> {
        let mut places = 0..self.large_count;
        let place = places.find(|place| address < self.large.get(2 * place + 1) && self.large.get(2 * place) < end)?;
        blocks.find(self.large.get(2 * place))
    }

    /// A block is live no more.
    pub(crate) fn gone(&mut self, block: Block) {
        let end = end_of(block.address, block.size);
        if end - block.address < LARGE_BYTES {
            self.marks.give(block.address, end);
        } else if let Some(place) = (0..self.large_count).find(|place| self.large.get(2 * place) == block.address) {
            self.large_count -= 1;
            for word in 0..2 {
                let last = self.large.get(2 * self.large_count + word);
                self.large.set(2 * place + word, last);
            }
        }
    }

    /// A block is live still, or again.
    pub(crate) fn back(&mut self, blocks: &Blocks, block: Block) {
        self.take(blocks, block.address, block.size);
    }

    /// Remembers the ends of the first so many bytes of a block.
    pub(crate) fn remember(&mut self, address: u64, bytes: u64) {
        let (head, tail) = ends(bytes);
        for (index, offset) in (0..head).chain(tail..bytes).enumerate() {
            self.kept.set(index, byte(address + offset).into());
        }
    }

    /// The first of those bytes that is not the same at this address.
    pub(crate) fn lost(&self, address: u64, bytes: u64) -> Option<Broken> {
        let (head, tail) = ends(bytes);
        let mut places = (0..head).chain(tail..bytes).enumerate();
        let lost = places.find(|(index, offset)| self.kept.get(*index) != u64::from(byte(address + offset)));
        lost.map(|(_, offset)| (Law::Kept, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Room {
        judge: Judge,
        blocks: Blocks,
        number: u32,
    }

    impl Room {
        fn new() -> Self {
            Room { judge: Judge::reserve().unwrap(), blocks: Blocks::reserve(true).unwrap(), number: 0 }
        }

        /// A request was answered with a block at this address.
        fn give(&mut self, kind: Kind, first: u64, second: u64, address: u64) -> Option<Broken> {
            self.number += 1;
            let asked = Record { kind, is_answered: true, thread: 0, block: self.number, first, second };
            let broken = self.judge.given(&self.blocks, &asked, address);
            let size = asked.asked_bytes().unwrap_or(0);
            assert!(self.blocks.put(Block { address, number: self.number, size }));
            broken
        }

        fn free(&mut self, address: u64) {
            let block = self.blocks.take(address).unwrap();
            self.judge.gone(block);
        }
    }

    const BASE: u64 = 0x7000_0000;

    #[test]
    fn blocks_are_aligned_as_asked_for_or_as_c_has_it() {
        for (kind, first, second, address, is_right) in [
            (Kind::Malloc, 16, 0, BASE + 8, false),
            (Kind::Malloc, 16, 0, BASE + 16, true),
            (Kind::Malloc, 15, 0, BASE + 8, true),
            (Kind::Malloc, 3, 0, BASE + 2, true),
            (Kind::Malloc, 3, 0, BASE + 1, false),
            (Kind::Malloc, 0, 0, BASE + 1, true),
            (Kind::AlignedAlloc, 256, 256, BASE + 128, false),
            (Kind::AlignedAlloc, 100, 256, BASE + 128, true),
            (Kind::PosixMemalign, 100, 256, BASE + 128, false),
            (Kind::PosixMemalign, 100, 256, BASE + 256, true),
            (Kind::Memalign, 64, 24, BASE + 8, true),
        ] {
            let broken = Room::new().give(kind, first, second, address);
            let expected = if is_right { None } else { Some((Law::Aligned, address)) };
            assert_eq!(broken, expected, "{kind:?} {first} {second}");
        }
    }

    #[test]
    fn sizes_that_no_block_can_have_are_refused() {
        assert_eq!(Room::new().give(Kind::Malloc, 1 << 63, 0, BASE), Some((Law::Refusal, 0)));
        assert_eq!(Room::new().give(Kind::Calloc, 1 << 32, 1 << 32, BASE), Some((Law::Refusal, 0)));
        assert_eq!(Room::new().give(Kind::Malloc, 64, 0, LAST_END & !15), Some((Law::Inside, LAST_END & !15)));
    }

    #[test]
    fn an_alignment_of_posix_memalign_is_legal_or_refused() {
        let asked =
            |second| Record { kind: Kind::PosixMemalign, is_answered: false, thread: 0, block: 0, first: 8, second };
        for (align, is_legal) in [(8, true), (4096, true), (4, false), (24, false), (0, false)] {
            assert_eq!(Judge::validity(&asked(align), !is_legal), None);
            assert_eq!(Judge::validity(&asked(align), is_legal), Some((Law::Invalid, align)));
        }
    }

    #[test]
    fn a_block_that_takes_a_byte_of_another_one_is_found_and_neighbours_are_not() {
        let large = 3 * LARGE_BYTES;
        for (size, other, other_size, meets) in [
            (64, BASE + 48, 16, true),
            (64, BASE + 64, 16, false),
            (64, BASE - 16, 16, false),
            (64, BASE - 16, 17, true),
            (64, BASE, 0, true),
            (0, BASE, 0, true),
            (0, BASE, 8, true),
            (3, BASE + 4, 3, false),
            (5, BASE + 4, 3, true),
            (100_000, BASE + 99_984, 1 << 20, true),
            (1 << 20, BASE + 16, 1, true),
            (large, BASE + LARGE_BYTES, 16, true),
            (large, BASE + large, 16, false),
            (16, BASE - LARGE_BYTES, LARGE_BYTES + 1, true),
            (16, BASE - LARGE_BYTES, LARGE_BYTES, false),
            (large, BASE + LARGE_BYTES, large, true),
        ] {
            let mut room = Room::new();
            assert_eq!(room.give(Kind::Malloc, size, 0, BASE), None);
            // Blocks that end before, and begin behind, are no obstacle to the search.
            assert_eq!(room.give(Kind::Malloc, 16, 0, BASE - 0x1000_0000), None);
            let broken = room.give(Kind::Malloc, other_size, 0, other);
            let expected = meets.then_some((Law::Disjoint, BASE));
            assert_eq!(broken.filter(|(law, _)| *law == Law::Disjoint), expected, "{size} {other:#x} {other_size}");
        }
    }

    #[test]
    fn a_block_that_was_freed_may_be_given_again() {
        for size in [1, 16, 4000, LARGE_BYTES - 8, LARGE_BYTES, 5 * LARGE_BYTES] {
            let mut room = Room::new();
            for _ in 0..3 {
                assert_eq!(room.give(Kind::Malloc, size, 0, BASE), None);
                room.free(BASE);
            }
            assert_eq!(room.give(Kind::Malloc, size, 0, BASE), None);
            assert_eq!(room.give(Kind::Malloc, size, 0, BASE), Some((Law::Disjoint, BASE)));
        }
    }

    #[test]
    fn every_byte_of_calloc_is_zero() {
        let mut memory = vec![0_u64; 64].into_boxed_slice();
        let address = memory.as_ptr() as u64;
        assert_eq!(Room::new().give(Kind::Calloc, 1, 512, address), None);
        for wrong in [0, 13, 63] {
            memory[wrong] = 1 << 40;
            let place = 8 * wrong as u64 + 5;
            assert_eq!(Room::new().give(Kind::Calloc, 512, 1, address), Some((Law::Zeroed, place)));
            // Behind its end lies what is nobody's business.
            assert_eq!(Room::new().give(Kind::Calloc, place, 1, address), None);
            memory[wrong] = 0;
        }
    }

    #[test]
    fn what_a_reallocation_loses_at_either_end_is_found() {
        let mut judge = Judge::reserve().unwrap();
        for bytes in [0_usize, 1, 127, 128, 129, 255, 256, 257, 5000] {
            let memory: Vec<u8> = (0..=250).cycle().take(bytes).collect();
            judge.remember(memory.as_ptr() as u64, bytes as u64);
            let mut copy = memory.clone();
            assert_eq!(judge.lost(copy.as_ptr() as u64, bytes as u64), None);
            for wrong in [0, 100, bytes.saturating_sub(1)].into_iter().filter(|wrong| *wrong < bytes) {
                copy[wrong] ^= 1;
                let offset = wrong as u64;
                assert_eq!(judge.lost(copy.as_ptr() as u64, bytes as u64), Some((Law::Kept, offset)));
                copy[wrong] ^= 1;
            }
        }
    }
}
