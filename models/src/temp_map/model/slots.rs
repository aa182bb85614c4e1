//! The slots and what is mapped at them. Does not know which slot a caller should have been given.

use super::super::outcome::SLOT_WORDS;
use super::super::setup::{PAGE_BYTES, SLOTS, Setup, WINDOW_BASE};

/// A live temporary mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TempMapping {
    /// The frame's number.
    pub(super) frame: u32,
    /// The directory in force when it was made.
    pub(super) home: u8,
    /// The frame has been free since.
    pub(super) is_dangling: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Slots {
    allocated: [u64; SLOT_WORDS],
    mapped: [u64; SLOT_WORDS],
    mappings: [TempMapping; SLOTS as usize],
}

const NOTHING: TempMapping = TempMapping { frame: 0, home: 0, is_dangling: false };

/// The number as an index, if there is such a slot.
pub(super) fn index(slot: i32) -> Option<usize> {
    usize::try_from(slot).ok().filter(|index| *index < SLOTS as usize)
}

/// The slot of an address in the window.
#[inline]
pub(super) fn at_address(address: u32) -> Option<usize> {
    let index = address.checked_sub(WINDOW_BASE)? / PAGE_BYTES;
    (index < SLOTS).then_some(index as usize)
}

fn is_in(set: &[u64; SLOT_WORDS], index: usize) -> bool {
    set[index / 64] >> (index % 64) & 1 != 0
}

impl Slots {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut slots =
            Slots { allocated: [0; SLOT_WORDS], mapped: [0; SLOT_WORDS], mappings: [NOTHING; SLOTS as usize] };
        slots.reset(setup);
        slots
    }

    pub(super) fn reset(&mut self, setup: &Setup) {
        self.mapped = [0; SLOT_WORDS];
        let mut left = u32::from(setup.taken_slots);
        for word in &mut self.allocated {
            *word = if 64 <= left { u64::MAX } else { (1 << left) - 1 };
            left = left.saturating_sub(64);
        }
    }

    pub(super) fn free_count(&self) -> u32 {
        self.allocated.iter().map(|word| word.count_zeros()).sum()
    }

    /// The sets of allocated and of mapped slots.
    pub(super) fn sets(&self) -> ([u64; SLOT_WORDS], [u64; SLOT_WORDS]) {
        (self.allocated, self.mapped)
    }

    pub(super) fn is_allocated(&self, index: usize) -> bool {
        is_in(&self.allocated, index)
    }

    #[inline]
    pub(super) fn mapping(&self, index: usize) -> Option<TempMapping> {
        is_in(&self.mapped, index).then(|| self.mappings[index])
    }

    pub(super) fn allocate(&mut self, index: usize) {
        self.allocated[index / 64] |= 1 << (index % 64);
    }

    pub(super) fn free(&mut self, index: usize) {
        self.allocated[index / 64] &= !(1 << (index % 64));
    }

    pub(super) fn map(&mut self, index: usize, mapping: TempMapping) {
        self.mapped[index / 64] |= 1 << (index % 64);
        self.mappings[index] = mapping;
    }

    pub(super) fn unmap(&mut self, index: usize) {
        self.mapped[index / 64] &= !(1 << (index % 64));
    }

    /// A frame has become free: its mappings say nothing from now on.
    pub(super) fn dangle(&mut self, frame: u32) {
        for mapping in self.mappings.iter_mut().filter(|mapping| mapping.frame == frame) {
            mapping.is_dangling = true;
        }
    }

    /// The live mappings, by slot.
    pub(super) fn live(&self) -> impl Iterator<Item = (usize, TempMapping)> + '_ {
        (0..SLOTS as usize).filter_map(|index| Some((index, self.mapping(index)?)))
    }
}
