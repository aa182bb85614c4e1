//! What the generator believes of the state that its ops lead to, in order to aim at what is there. It sees
//! no answer, so it may be wrong: frames may be short where it thinks a page was mapped.

use crate::random::Random;
use memtwin_models::temp_map::{CPUS, HOLDS, PROCESSES, SLOTS, Setup};

/// Pages that are remembered of one process.
const PAGES: usize = 12;

/// A process's pages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pages {
    list: [u32; PAGES],
    count: usize,
}

impl Pages {
    pub(super) fn as_slice(&self) -> &[u32] {
        &self.list[..self.count]
    }

    pub(super) fn has(&self, page: u32) -> bool {
        self.as_slice().contains(&page)
    }

    pub(super) fn add(&mut self, page: u32) {
        if self.count < PAGES && !self.has(page) {
            self.list[self.count] = page;
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, page: u32) {
        if let Some(at) = self.as_slice().iter().position(|known| *known == page) {
            self.count -= 1;
            self.list[at] = self.list[self.count];
        }
    }
}

/// What a slot may be mapped to: all that was asked for since it was unmapped last, whatever was done of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pins {
    /// Frames in variables, a bit each. They are not freed as long.
    holds: u8,
    /// A frame that anything may free.
    is_loose: bool,
    /// A frame that may be nobody's.
    is_foreign: bool,
}

/// What is mapped at a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinned {
    /// The frame in a variable.
    Hold(usize),
    /// A frame that anything may free.
    Loose,
    /// A frame that may be nobody's.
    Foreign,
}

impl Pins {
    pub(super) fn is_empty(self) -> bool {
        self == Pins::default()
    }

    fn add(&mut self, pinned: Pinned) {
        match pinned {
            Pinned::Hold(hold) => self.holds |= 1 << hold,
            Pinned::Loose => self.is_loose = true,
            Pinned::Foreign => self.is_foreign = true,
        }
    }
}

/// A slot that was handed out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SlotTwin {
    pub(super) slot: i32,
    pub(super) pins: Pins,
}

/// Slots that are remembered.
const SLOTS_KNOWN: usize = 16;

#[derive(Debug, Clone)]
pub(super) struct Belief {
    /// Pages of each process that is there.
    pub(super) processes: [Option<Pages>; PROCESSES as usize],
    /// The process in force on each processor.
    pub(super) current: [Option<usize>; CPUS as usize],
    pub(super) holds: [bool; HOLDS as usize],
    slots: [SlotTwin; SLOTS_KNOWN],
    slot_count: usize,
    taken: [u64; SLOTS as usize / 64],
    /// The slot that was unmapped last.
    pub(super) unmapped: i32,
    /// The page that was mapped or used last.
    pub(super) last_page: u32,
}

impl Belief {
    pub(super) fn new() -> Self {
        Belief {
            processes: [None; PROCESSES as usize],
            current: [None; CPUS as usize],
            holds: [false; HOLDS as usize],
            slots: [SlotTwin::default(); SLOTS_KNOWN],
            slot_count: 0,
            taken: [0; SLOTS as usize / 64],
            unmapped: 0,
            last_page: 0,
        }
    }

    pub(super) fn begin(&mut self, setup: &Setup, random: &mut Random) {
        *self = Self::new();
        for slot in 0..usize::from(setup.taken_slots) {
            self.taken[slot / 64] |= 1 << (slot % 64);
        }
        // Some of the drivers' slots, any four in a row, are used like one's own.
        let used = setup.taken_slots.min(4);
        let first = random.below(u32::from(setup.taken_slots - used) + 1);
        for slot in first..first + u32::from(used) {
            let slot = i32::try_from(slot).unwrap_or(0);
            self.slots[self.slot_count] = SlotTwin { slot, pins: Pins::default() };
            self.slot_count += 1;
        }
    }

    /// The first free slot is handed out.
    pub(super) fn alloc_slot(&mut self) {
        let word = self.taken.iter().position(|word| *word != u64::MAX);
        let Some(word) = word else { return };
        let bit = self.taken[word].trailing_ones() as usize;
        self.taken[word] |= 1 << bit;
        if self.slot_count < SLOTS_KNOWN {
            let slot = i32::try_from(64 * word + bit).unwrap_or(0);
            self.slots[self.slot_count] = SlotTwin { slot, pins: Pins::default() };
            self.slot_count += 1;
        }
    }

    pub(super) fn free_slot(&mut self, slot: i32) {
        if let Some(at) = self.slots().iter().position(|known| known.slot == slot && known.pins.is_empty()) {
            self.slot_count -= 1;
            self.slots[at] = self.slots[self.slot_count];
            let bit = usize::try_from(slot).unwrap_or(0);
            self.taken[bit / 64] &= !(1 << (bit % 64));
        }
    }

    pub(super) fn slots(&self) -> &[SlotTwin] {
        &self.slots[..self.slot_count]
    }

    pub(super) fn map(&mut self, slot: i32, pinned: Pinned) {
        if let Some(known) = self.slots[..self.slot_count].iter_mut().find(|known| known.slot == slot) {
            known.pins.add(pinned);
        }
    }

    pub(super) fn unmap(&mut self, slot: i32) {
        if let Some(known) = self.slots[..self.slot_count].iter_mut().find(|known| known.slot == slot) {
            known.pins = Pins::default();
            self.unmapped = slot;
        }
    }

    /// A slot whose frame anything may free.
    pub(super) fn loosely_pinned(&self) -> Option<i32> {
        let is_loose = |known: &&SlotTwin| known.pins.is_loose || known.pins.is_foreign;
        self.slots().iter().find(is_loose).map(|known| known.slot)
    }

    /// Whether a frame that may be nobody's is mapped at a slot.
    pub(super) fn is_foreign(&self, slot: u32) -> bool {
        self.slots().iter().any(|known| known.pins.is_foreign && known.slot.cast_unsigned() == slot)
    }

    pub(super) fn is_pinned(&self, hold: usize) -> bool {
        self.slots().iter().any(|known| known.pins.holds >> hold & 1 != 0)
    }

    /// The pages of the process in force.
    pub(super) fn pages(&self, cpu: usize) -> Option<&Pages> {
        self.processes[self.current[cpu]?].as_ref()
    }

    pub(super) fn pages_mut(&mut self, cpu: usize) -> Option<&mut Pages> {
        self.processes[self.current[cpu]?].as_mut()
    }
}
