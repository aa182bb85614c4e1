//! The slots of the window: which are allocated, which are mapped, and from where. Refuses numbers that are no slots.

use memtwin_models::temp_map::{SLOT_WORDS, SLOTS};

/// The slots.
#[derive(Debug)]
pub struct Slots {
    allocated: [u64; SLOT_WORDS],
    mapped: [u64; SLOT_WORDS],
    /// The directory that was in force when the slot was mapped.
    homes: [u32; SLOTS as usize],
    /// How many slots were handed out so far, for statistics.
    handed_out: u32,
}

impl Default for Slots {
    fn default() -> Self {
        Slots { allocated: [0; SLOT_WORDS], mapped: [0; SLOT_WORDS], homes: [0; SLOTS as usize], handed_out: 0 }
    }
}

/// The number as an index, if there is such a slot.
#[must_use]
pub fn slot_index(slot: i32) -> Option<u32> {
    u32::try_from(slot).ok().filter(|index| *index < SLOTS)
}

fn is_in(set: &[u64; SLOT_WORDS], slot: u32) -> bool {
    set[(slot / 64) as usize] >> (slot % 64) & 1 != 0
}

impl Slots {
    pub(super) fn reset(&mut self) {
        (self.allocated, self.mapped, self.handed_out) = ([0; SLOT_WORDS], [0; SLOT_WORDS], 0);
    }

    /// The first free slot.
    #[must_use]
    pub fn first_free(&self) -> Option<u32> {
        let mut words = (0..).step_by(64).zip(self.allocated);
        words.find(|(_, word)| *word != u64::MAX).map(|(first, word)| first + word.trailing_ones())
    }

    /// How many slots have no owner.
    #[must_use]
    pub fn free_count(&self) -> u32 {
        self.allocated.iter().map(|word| word.count_zeros()).sum()
    }

    /// Hands a slot out.
    pub fn hand_out(&mut self, slot: u32) {
        self.allocated[(slot / 64) as usize] |= 1 << (slot % 64);
        self.handed_out = self.handed_out.wrapping_add(1);
    }

    /// How many slots were handed out so far.
    #[must_use]
    pub fn handed_out(&self) -> u32 {
        self.handed_out
    }

    /// Takes a slot back.
    pub fn take_back(&mut self, slot: u32) {
        self.allocated[(slot / 64) as usize] &= !(1 << (slot % 64));
    }

    /// Whether the slot has an owner.
    #[must_use]
    pub fn is_allocated(&self, slot: u32) -> bool {
        is_in(&self.allocated, slot)
    }

    /// Whether something is mapped at the slot.
    #[must_use]
    pub fn is_mapped(&self, slot: u32) -> bool {
        is_in(&self.mapped, slot)
    }

    /// Something is mapped, under this directory.
    pub fn set_mapped(&mut self, slot: u32, directory: u32) {
        self.mapped[(slot / 64) as usize] |= 1 << (slot % 64);
        self.homes[slot as usize] = directory;
    }

    /// Nothing is mapped any more.
    pub fn set_unmapped(&mut self, slot: u32) {
        self.mapped[(slot / 64) as usize] &= !(1 << (slot % 64));
    }

    /// The directory under which the slot was mapped last.
    #[must_use]
    pub fn home(&self, slot: u32) -> u32 {
        self.homes[slot as usize]
    }

    /// Whether anything is mapped that was mapped under this directory.
    #[must_use]
    pub fn is_home(&self, directory: u32) -> bool {
        (0..SLOTS).any(|slot| self.is_mapped(slot) && self.home(slot) == directory)
    }

    /// The sets of allocated and of mapped slots.
    #[must_use]
    pub fn sets(&self) -> ([u64; SLOT_WORDS], [u64; SLOT_WORDS]) {
        (self.allocated, self.mapped)
    }
}
