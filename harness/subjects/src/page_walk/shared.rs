//! What host and guest share in scratch: the buffer, the list of file mappings, the copy of the page tables, and the
//! bookkeeping words; and the snapshots that go with them. Pointers, prefixes and counts are checked before they are
//! used.

use super::deviation::Deviation;
use super::reader::Landing;
use super::sandbox::{Sandbox, WORD};
use memtwin_models::Payload;
use memtwin_models::page_walk::{
    FILE_MAPPING_BYTES, FILE_MAPPING_LIST_BYTES, MAX_FILE_MAPPINGS, PAGE_BYTES, Prefix, Refusal, SNAPSHOT_GPA, Slot,
};

/// The indexes of the two backings that are always there.
const SCRATCH: usize = 0;
const SNAPSHOT: usize = 1;

/// Where things lie in scratch.
#[derive(Debug, Clone, Copy)]
struct Layout {
    tail: u64,
    tail_bytes: u64,
    free: u64,
    bookkeeping: u64,
}

/// Where the last element of the buffer begins and ends, and where its back-pointer ends.
#[derive(Debug, Clone, Copy)]
struct Element {
    start: u64,
    end: u64,
    pointer: u64,
}

/// What the split of one memory gives: each side's handle, and whether it has an abort buffer.
#[derive(Debug)]
pub(super) struct Handles {
    pub(super) host_aborts: bool,
    pub(super) guest_aborts: bool,
}

impl<D: Deviation> Sandbox<D> {
    fn scratch_bytes(&self) -> u64 {
        self.backings[SCRATCH].total
    }

    fn buffer_bytes(&self) -> u64 {
        u64::from(self.setup.buffer_bytes)
    }

    fn scratch_word(&self, offset: u64) -> u64 {
        self.memory.word(self.backings[SCRATCH].host + offset)
    }

    fn store_word(&mut self, offset: u64, word: u64) {
        self.store(SCRATCH, offset, &word.to_le_bytes());
    }

    fn list_offset(&self) -> u64 {
        self.buffer_bytes().next_multiple_of(WORD)
    }

    fn layout(&self) -> Option<Layout> {
        let list_end = self.list_offset() + FILE_MAPPING_LIST_BYTES;
        let tail_bytes = u64::from(self.setup.tail_pages) * PAGE_BYTES;
        let tail = if tail_bytes == 0 { list_end } else { list_end.next_multiple_of(PAGE_BYTES) };
        let free = tail + tail_bytes;
        let bookkeeping = D::bookkeeping_offset(self.scratch_bytes())?;
        (free <= bookkeeping).then_some(Layout { tail, tail_bytes, free, bookkeeping })
    }

    /// The bookkeeping words, if scratch has them: generation, the tail's address, the first free address, the size.
    pub(super) fn bookkeeping(&self) -> Option<[u64; 4]> {
        let layout = self.layout()?;
        Some(std::array::from_fn(|index| self.scratch_word(layout.bookkeeping.wrapping_add(8 * index as u64))))
    }

    fn write_bookkeeping(&mut self, layout: &Layout) {
        let words = [
            self.generation,
            SNAPSHOT_GPA + self.setup.tail_offset(),
            self.backings[SCRATCH].gpa + layout.free,
            self.scratch_bytes(),
        ];
        for (index, word) in (0..).zip(words) {
            self.store_word(layout.bookkeeping.wrapping_add(8 * index), word);
        }
    }

    /// Splits memory into the handles of host and guest: clears scratch and writes what belongs there.
    pub(super) fn build(&mut self) -> Result<Handles, Refusal> {
        let layout = self.layout().ok_or(Refusal::NoRoom)?;
        self.wipe_dirty(SCRATCH);
        if WORD <= self.buffer_bytes() {
            self.store_word(0, WORD);
        }
        self.copy_tail(&layout);
        self.write_bookkeeping(&layout);
        Ok(Handles { host_aborts: true, guest_aborts: false })
    }

    fn copy_tail(&mut self, layout: &Layout) {
        let mut page = [0; 4096];
        let source = self.backings[SNAPSHOT].host + self.setup.tail_offset();
        for offset in (0..layout.tail_bytes).step_by(page.len()) {
            if let Some(bytes) = self.memory.bytes(source + offset, PAGE_BYTES) {
                page.copy_from_slice(bytes);
            }
            self.store(SCRATCH, layout.tail + offset, &page);
        }
    }

    /// Takes a snapshot: the tables become its tail.
    pub(super) fn snapshot(&mut self, slot: Slot) -> Result<u64, Refusal> {
        let layout = self.layout().ok_or(Refusal::NoRoom)?;
        self.generation = self.generation.wrapping_add(1);
        let tail = self.setup.tail_offset();
        let count = usize::try_from(layout.tail_bytes / 8).unwrap_or(0);
        for index in 0..count {
            let entry = self.tables.entries().get(index).copied().unwrap_or(0);
            self.store(SNAPSHOT, tail + 8 * index as u64, &entry.to_le_bytes());
        }
        let mapped = self.mapped();
        let placed = &self.backings[SNAPSHOT];
        let kept = &mut self.kept[slot.index()];
        kept.generation = Some(self.generation);
        kept.mapped = mapped;
        kept.image.clear();
        self.memory.read(placed.host, placed.total, &mut kept.image);
        self.write_bookkeeping(&layout);
        Ok(self.generation)
    }

    /// Goes back to the snapshot in a slot; its generation comes back with it.
    pub(super) fn restore(&mut self, slot: Slot) -> Result<u64, Refusal> {
        let kept = std::mem::take(&mut self.kept[slot.index()]);
        if let Some(generation) = kept.generation {
            self.store(SNAPSHOT, 0, &kept.image);
            self.generation = D::restored_generation(generation, self.generation);
            self.map_files(D::restored_files(kept.mapped, self.mapped()));
        }
        let answer = kept.generation.ok_or(Refusal::Empty);
        self.kept[slot.index()] = kept;
        if answer.is_ok() {
            self.build()?;
        }
        answer
    }

    /// The buffer's stack pointer, if it can be one.
    fn stack_pointer(&self) -> Result<u64, Refusal> {
        let pointer = self.pointer()?;
        if (WORD..=self.buffer_bytes()).contains(&pointer) { Ok(pointer) } else { Err(Refusal::Corrupt) }
    }

    /// Pushes an element: its bytes, then where it began, then the new stack pointer.
    pub(super) fn push(&mut self, seed: u16, length: u16, prefix: Prefix) -> Result<(), Refusal> {
        let pointer = self.stack_pointer()?;
        let end = pointer + u64::from(length);
        if self.buffer_bytes() < end + WORD {
            return Err(Refusal::NoRoom);
        }
        let payload = Payload { seed, length: u32::from(length) };
        self.store(SCRATCH, pointer, payload.bytes().unwrap_or_default());
        if let Some(bytes) = prefix.bytes(length) {
            self.store(SCRATCH, pointer, &bytes[..usize::from(length).min(bytes.len())]);
        }
        self.store_word(end, pointer);
        self.store_word(0, end + WORD);
        Ok(())
    }

    /// Where the last element begins and ends, and where its back-pointer ends.
    fn last_element(&self) -> Result<Element, Refusal> {
        let pointer = self.stack_pointer()?;
        if pointer == WORD {
            return Err(Refusal::Empty);
        }
        let end = pointer - WORD;
        let start = self.scratch_word(end);
        if end < WORD || !D::is_back_pointer(start, end) || end.wrapping_sub(start) < D::shortest_element_bytes() {
            return Err(Refusal::Corrupt);
        }
        Ok(Element { start, end, pointer })
    }

    /// Pops an element as it is.
    pub(super) fn pop(&mut self, mut landing: Landing<'_>) -> Result<(), Refusal> {
        let Element { start, end, pointer } = self.last_element()?;
        let bytes = end.wrapping_sub(start);
        landing.reserve(bytes);
        self.memory.read(self.backings[SCRATCH].host.wrapping_add(start), bytes, landing.data);
        D::take(self, start, pointer);
        Ok(())
    }

    /// Pops an element that begins with its length, and gives what follows.
    pub(super) fn pop_prefixed(&mut self, mut landing: Landing<'_>) -> Result<(), Refusal> {
        let Element { start, pointer, .. } = self.last_element()?;
        let bytes = self.prefixed_bytes()?.saturating_sub(4);
        landing.reserve(bytes);
        if self.buffer_bytes() < (start + 4).saturating_add(bytes) {
            return Err(Refusal::Corrupt);
        }
        self.memory.read(self.backings[SCRATCH].host + start + 4, bytes, landing.data);
        D::take(self, start, pointer);
        Ok(())
    }

    /// The size of the last element, as its prefix says it.
    fn prefixed_bytes(&self) -> Result<u64, Refusal> {
        let Element { start, end, .. } = self.last_element()?;
        let prefix = self.memory.bytes(self.backings[SCRATCH].host + start, 4);
        let prefix = prefix.filter(|_| 4 <= end - start).ok_or(Refusal::Corrupt)?;
        let prefix = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]);
        D::prefixed_bytes(prefix, end - start).ok_or(Refusal::Corrupt)
    }

    /// Zeroes what was popped.
    pub fn wipe_popped(&mut self, start: u64, pointer: u64) {
        self.wipe(SCRATCH, start, pointer.saturating_sub(start));
    }

    /// The buffer's stack pointer as the guest left it, if there is a buffer.
    pub fn pointer(&self) -> Result<u64, Refusal> {
        if self.buffer_bytes() < WORD { Err(Refusal::NoRoom) } else { Ok(self.scratch_word(0)) }
    }

    /// Moves the buffer's stack pointer.
    pub fn set_pointer(&mut self, pointer: u64) {
        self.store_word(0, pointer);
    }

    /// Empties the buffer, whatever it holds.
    pub(super) fn clear_all(&mut self) -> Result<(), Refusal> {
        let size = self.buffer_bytes();
        if size < WORD {
            return Err(Refusal::NoRoom);
        }
        self.wipe(SCRATCH, WORD, size - WORD);
        self.store_word(0, WORD);
        Ok(())
    }

    /// Empties the buffer element by element, up to the first that makes no sense.
    pub(super) fn clear_by_popping(&mut self) -> Result<(), Refusal> {
        if self.buffer_bytes() < WORD {
            return Err(Refusal::NoRoom);
        }
        while let Ok(Element { start, pointer, .. }) = self.last_element() {
            D::take(self, start, pointer);
        }
        Ok(())
    }

    /// The same, up to the first whose prefix is not its length.
    pub(super) fn clear_by_popping_prefixed(&mut self) -> Result<(), Refusal> {
        if self.buffer_bytes() < WORD {
            return Err(Refusal::NoRoom);
        }
        while self.prefixed_bytes().is_ok() {
            let Ok(Element { start, pointer, .. }) = self.last_element() else { break };
            D::take(self, start, pointer);
        }
        Ok(())
    }

    /// Appends to the list of file mappings. The count is the guest's word.
    pub(super) fn add_file_mapping(&mut self, address: u64, length: u64) -> Result<(), Refusal> {
        let list = self.list_offset();
        if self.scratch_bytes() < list + FILE_MAPPING_LIST_BYTES {
            return Err(Refusal::NoRoom);
        }
        let count = self.scratch_word(list);
        if MAX_FILE_MAPPINGS <= count {
            return Err(Refusal::NoRoom);
        }
        let entry = list + WORD + count * FILE_MAPPING_BYTES;
        self.store_word(entry, address);
        self.store_word(entry + 8, length);
        self.store_word(entry + 16, 1);
        self.store_word(list, count + 1);
        Ok(())
    }
}
