//! Tiny blocks: SuperSlabs of one class, with their bookkeeping outside of the memory they hand out. Refuses every
//! pointer that is not the start of a live block, from its own books and without reading a byte of the block.

use super::deviation::{Deviation, Entry};
use super::layout::{SUPERSLABS, SUPERSLABS_START, in_arenas};
use super::memory::Memory;
use super::registry::Registry;
use memtwin_models::header_free::{SLAB_BYTES, Setup, TINY_CLASSES_BYTES, Thread};
use std::marker::PhantomData;

/// Marks a byte before a tiny block; the class is in the low bits.
const CLASS_BYTE: u8 = 0xa0;
/// The most blocks of a SuperSlab.
const MOST_BLOCKS: usize = 512;

/// How the blocks of a class lie in a slab.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The bytes of a block that are the user's.
    pub class_bytes: u64,
    /// The bytes before them.
    pub prefix: u64,
}

/// The free blocks of a SuperSlab: their offsets in the slab.
#[derive(Debug)]
pub struct Lists {
    /// Freed by the owner.
    pub free: Vec<u64>,
    /// Freed by other threads.
    pub remote: Vec<u64>,
}

#[derive(Debug)]
struct SuperSlab {
    is_mapped: bool,
    class: usize,
    shape: Shape,
    capacity: u64,
    /// The thread that freed blocks go back to at once; nobody after that thread's end.
    owner: Option<Thread>,
    /// Blocks from this one on were never handed out.
    fresh: u64,
    live: u64,
    /// A bit for each block that is the program's.
    used: [u64; MOST_BLOCKS / 64],
    lists: Lists,
}

/// All SuperSlabs.
#[derive(Debug)]
pub(super) struct Tiny<D> {
    registry: Registry,
    superslabs: Vec<SuperSlab>,
    /// For each class the SuperSlab that served last.
    current: [usize; TINY_CLASSES_BYTES.len()],
    setup: Setup,
    deviation: PhantomData<D>,
}

impl Shape {
    pub(super) fn new(class: usize, has_header: bool) -> Self {
        let class_bytes = TINY_CLASSES_BYTES[class];
        // The header is one byte, but blocks stay aligned.
        Shape { class_bytes, prefix: if has_header { class_bytes.min(16) } else { 0 } }
    }

    /// The distance of two blocks in bytes.
    pub(super) const fn stride(&self) -> u64 {
        self.class_bytes + self.prefix
    }
}

impl SuperSlab {
    fn new() -> Self {
        SuperSlab {
            is_mapped: false,
            class: 0,
            shape: Shape { class_bytes: 8, prefix: 0 },
            capacity: 0,
            owner: None,
            fresh: 0,
            live: 0,
            used: [0; MOST_BLOCKS / 64],
            lists: Lists { free: Vec::with_capacity(MOST_BLOCKS), remote: Vec::with_capacity(MOST_BLOCKS) },
        }
    }

    fn serves(&self, class: usize) -> bool {
        let has_room = self.fresh < self.capacity || !self.lists.free.is_empty() || !self.lists.remote.is_empty();
        self.is_mapped && self.class == class && has_room
    }

    /// The offset in the slab of a block to hand out.
    fn take<D: Deviation>(&mut self) -> Option<u64> {
        let has_fresh = self.fresh < self.capacity;
        if has_fresh && self.lists.free.is_empty() && (D::prefers_fresh() || self.lists.remote.is_empty()) {
            self.fresh += 1;
            return Some((self.fresh - 1) * self.shape.stride());
        }
        D::next_free(&mut self.lists)
    }

    /// The word and the bit of the block that an offset lies in.
    fn bit(&self, offset: u64) -> (usize, u64) {
        let number = offset / self.shape.stride();
        (usize::try_from(number / 64).unwrap_or(usize::MAX), 1 << (number % 64))
    }
}

impl<D: Deviation> Tiny<D> {
    pub(super) fn new(setup: &Setup) -> Self {
        Tiny {
            registry: Registry::new(setup.registry_slots(), setup.superslab_log2),
            superslabs: (0..SUPERSLABS).map(|_| SuperSlab::new()).collect(),
            current: [0; TINY_CLASSES_BYTES.len()],
            setup: setup.clone(),
            deviation: PhantomData,
        }
    }

    pub(super) fn reset(&mut self) {
        self.registry.clear();
        self.current = [0; TINY_CLASSES_BYTES.len()];
        for superslab in &mut self.superslabs {
            superslab.is_mapped = false;
        }
    }

    /// How many SuperSlabs the kernel has mapped, and how many are registered.
    pub(super) fn census(&self, memory: &Memory) -> (u64, u64) {
        let mapped = (0..SUPERSLABS).filter(|index| memory.map.get(self.slab(*index)).is_some()).count();
        (mapped as u64, self.registry.len() as u64)
    }

    fn base(&self, index: usize) -> u64 {
        #[allow(clippy::cast_possible_truncation)] // at most 24
        let (place, further) = in_arenas(&self.setup, index as u32);
        SUPERSLABS_START + (u64::from(place) << self.setup.superslab_log2) + further
    }

    fn slab(&self, index: usize) -> u64 {
        self.base(index) + self.setup.slab_offset.0
    }

    /// The registered SuperSlab that an address lies in.
    #[inline]
    pub(super) fn find(&self, pointer: u64) -> Option<usize> {
        D::find(&self.registry, D::superslab_base(&self.setup, pointer))
    }

    /// A block of a class; null as `None`.
    pub(super) fn alloc(&mut self, memory: &mut Memory, class: usize, thread: Thread) -> Option<u64> {
        let index = self.with_room(class).or_else(|| self.create(memory, class, thread))?;
        self.current[class] = index;
        let slab = self.slab(index);
        let superslab = &mut self.superslabs[index];
        // What a thread left behind belongs to the next that takes of it.
        superslab.owner.get_or_insert(thread);
        let offset = superslab.take::<D>()?;
        let (word, bit) = superslab.bit(offset);
        superslab.used[word] |= bit;
        superslab.live += 1;
        let prefix = superslab.shape.prefix;
        let user = slab + offset + prefix;
        if 0 < prefix {
            memory.store(user - 1, &[CLASS_BYTE | class.to_le_bytes()[0]]);
        }
        Some(user)
    }

    fn with_room(&self, class: usize) -> Option<usize> {
        let current = self.current[class];
        if self.superslabs[current].serves(class) {
            return Some(current);
        }
        self.superslabs.iter().position(|superslab| superslab.serves(class))
    }

    fn create(&mut self, memory: &mut Memory, class: usize, thread: Thread) -> Option<usize> {
        let index = self.superslabs.iter().position(|superslab| !superslab.is_mapped)?;
        // Registered before it is used: a SuperSlab that nobody finds again is worse than none.
        let base = self.base(index);
        D::register(&mut self.registry, base, index).ok()?;
        let start = self.slab(index);
        memory.map(start, start + SLAB_BYTES);
        let shape = Shape::new(class, self.setup.tiny_header);
        let superslab = &mut self.superslabs[index];
        (superslab.is_mapped, superslab.class, superslab.shape, superslab.owner) = (true, class, shape, Some(thread));
        (superslab.capacity, superslab.fresh, superslab.live) = (D::capacity(&shape), 0, 0);
        superslab.used.fill(0);
        superslab.lists.free.clear();
        superslab.lists.remote.clear();
        Some(index)
    }

    /// The usable bytes of the live block that begins at `pointer` in a SuperSlab.
    pub(super) fn usable_bytes(&self, index: usize, pointer: u64, entry: Entry) -> Option<u64> {
        self.live_block(index, pointer, entry).map(|_| self.superslabs[index].shape.class_bytes)
    }

    /// The offset in the slab of the live block that begins at `pointer`.
    fn live_block(&self, index: usize, pointer: u64, entry: Entry) -> Option<u64> {
        let superslab = &self.superslabs[index];
        let offset = pointer.checked_sub(self.slab(index))?.checked_sub(superslab.shape.prefix)?;
        let is_start = offset.is_multiple_of(superslab.shape.stride()) || !D::asks_for_starts(entry);
        let (word, bit) = superslab.bit(offset);
        (is_start && offset < SLAB_BYTES && superslab.used.get(word).is_some_and(|used| used & bit != 0))
            .then_some(offset)
    }

    /// Takes a block back; whether it was one.
    pub(super) fn free(&mut self, index: usize, pointer: u64, thread: Thread) -> bool {
        let Some(offset) = self.live_block(index, pointer, Entry::Free) else { return false };
        let superslab = &mut self.superslabs[index];
        let (word, bit) = superslab.bit(offset);
        superslab.used[word] &= !bit;
        superslab.live -= 1;
        let entry = D::list_entry(offset, offset + superslab.shape.prefix);
        if superslab.owner == Some(thread) {
            superslab.lists.free.push(entry);
        } else {
            superslab.lists.remote.push(entry);
        }
        true
    }

    /// A thread ends: its SuperSlabs are nobody's, with all that is in them.
    pub(super) fn leave(&mut self, thread: Thread) {
        let owned = |superslab: &&mut SuperSlab| superslab.is_mapped && superslab.owner == Some(thread);
        for superslab in self.superslabs.iter_mut().filter(owned) {
            superslab.owner = None;
            D::leave(&mut superslab.lists);
        }
    }

    /// Gives the SuperSlab that an address lies in back to the kernel, if no block of it lives; whether it did. What
    /// the kernel does not take serves on.
    pub(super) fn retire(&mut self, memory: &mut Memory, pointer: u64) -> bool {
        let Some(index) = self.find(pointer) else { return false };
        if self.superslabs[index].live != 0 {
            return false;
        }
        let start = self.slab(index);
        if !D::is_retired(memory.munmap(start, start + SLAB_BYTES)) {
            return false;
        }
        let base = self.base(index);
        D::unregister(&mut self.registry, base);
        self.superslabs[index].is_mapped = false;
        true
    }
}
