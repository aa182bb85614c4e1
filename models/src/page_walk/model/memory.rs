//! The model's memory: the bytes of every backing, where they lie for the guest, and what host and guest keep in
//! scratch. Judges nothing.

use super::super::{
    BOOKKEEPING_BYTES, Backing, FILE_MAPPING_BYTES, FILE_MAPPING_LIST_BYTES, FIRST_CONTENT, File, MAX_FILE_MAPPINGS,
    PAGE_BYTES, Prefix, Refusal, SLOTS, SNAPSHOT_GPA, Seen, Setup, Slot,
};
use super::Outcome;
use super::open::Open;
use super::tables::Tables;
use crate::Payload;

/// The stack pointer of an empty buffer, and the size of a pointer.
const WORD: u64 = 8;

/// A backing and its bytes.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) backing: Backing,
    pub(super) gpa: u64,
    /// How many bytes the guest sees, from the first on.
    pub(super) visible: u64,
    pub(super) writable: bool,
    pub(super) executable: bool,
    /// Whether it is mapped.
    pub(super) is_there: bool,
    pub(super) bytes: Vec<u8>,
    /// The bits that the subject may have otherwise.
    pub(super) open: Open,
    /// The bytes that differ, at most, from those at first.
    dirty: (usize, usize),
}

/// Bytes in a row in one backing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The index of the backing.
    pub(super) index: usize,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// A kept snapshot.
#[derive(Debug, Clone, Default)]
struct Kept {
    generation: Option<u64>,
    /// The files that were mapped.
    mapped: u8,
    tail: Vec<u8>,
    /// The bits of the tail that the subject may have otherwise.
    open: Vec<u8>,
}

/// All backings, in the order in which addresses are resolved.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    setup: Setup,
    pub(super) held: Vec<Held>,
    kept: [Kept; SLOTS as usize],
    pub(super) generation: u64,
}

/// What of an element that was popped before is still there.
#[derive(Debug, Clone, Copy)]
struct Guess {
    back_pointer: bool,
    prefix: bool,
}

impl Guess {
    const WIPED: Guess = Guess { back_pointer: false, prefix: false };
    const KEPT: Guess = Guess { back_pointer: true, prefix: true };
}

#[allow(clippy::cast_possible_truncation)] // offsets in backings are below 2^20
fn at(offset: u64) -> usize {
    offset as usize
}

fn first_content(index: usize) -> Payload {
    Payload { seed: FIRST_CONTENT.seed.wrapping_add(0x1111 * u16::try_from(index).unwrap_or(0)), ..FIRST_CONTENT }
}

impl Held {
    fn new(index: usize, backing: Backing, gpa: u64, visible: u64, length: u64, rights: (bool, bool)) -> Self {
        let mut bytes = vec![0; at(length)];
        if backing != Backing::Scratch {
            first_content(index).fill(0, &mut bytes);
        }
        let (writable, executable) = rights;
        let open = Open::new(bytes.len());
        let is_there = true;
        Held { backing, gpa, visible, writable, executable, is_there, bytes, open, dirty: (usize::MAX, 0) }
    }

    fn end(&self) -> u64 {
        self.gpa + self.visible
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.touch(offset, bytes.len() as u64).copy_from_slice(bytes);
    }

    /// Bytes that will be written.
    fn touch(&mut self, offset: u64, length: u64) -> &mut [u8] {
        let (start, end) = (at(offset), at(offset + length));
        self.dirty = (self.dirty.0.min(start), self.dirty.1.max(end));
        self.open.close(start, end);
        &mut self.bytes[start..end]
    }

    fn word(&self, offset: u64) -> Option<u64> {
        let bytes = self.bytes.get(at(offset)..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Takes over the bits that nothing fixes from the bytes that were seen at an offset.
    pub(super) fn follow(&mut self, offset: u64, seen: &[u8]) {
        let start = at(offset);
        if let Some(bytes) = self.bytes.get_mut(start..start + seen.len()) {
            self.open.follow(start, bytes, seen);
        }
    }

    /// The first byte that differs from those that were seen.
    pub(super) fn first_difference(&self, seen: &[u8]) -> Option<usize> {
        if self.bytes == seen {
            return None;
        }
        let differs = |(index, (want, seen)): (usize, (&u8, &u8))| (want ^ seen) & !self.open.bits()[index] != 0;
        let differs = self.bytes.iter().zip(seen).enumerate().position(differs);
        differs.or((self.bytes.len() != seen.len()).then(|| self.bytes.len().min(seen.len())))
    }

    /// Zeros in place of what is taken away: the subject may leave it as it is.
    fn take_away(&mut self, start: u64, end: u64) {
        let (start, end) = (at(start), at(end));
        self.dirty = (self.dirty.0.min(start), self.dirty.1.max(end));
        self.open.add(start, &self.bytes[start..end]);
        self.bytes[start..end].fill(0);
    }

    /// Decides that open bits of a range are as they were before they were taken away, or that they are not.
    fn decide(&mut self, start: u64, length: u64, is_kept: bool) {
        let (start, end) = (at(start), at(start + length));
        if is_kept {
            self.open.set(start, &mut self.bytes[start..end]);
        }
        self.open.close(start, end);
    }
}

impl Memory {
    pub(super) fn new(setup: &Setup) -> Self {
        let visible = u64::from(setup.snapshot_bytes);
        let scratch = u64::from(setup.scratch_bytes);
        let mut held = vec![
            Held::new(0, Backing::Scratch, setup.scratch_gpa(), scratch, scratch, (true, true)),
            Held::new(1, Backing::Snapshot, SNAPSHOT_GPA, visible, setup.snapshot_backing_bytes(), (false, true)),
        ];
        for (index, mapped) in (0..).zip(&setup.mapped) {
            let backing = Backing::Mapped(index);
            let (bytes, rights) = (u64::from(mapped.bytes), (mapped.writable, mapped.executable));
            held.push(Held::new(backing.index(), backing, mapped.gpa, bytes, bytes, rights));
        }
        let kept = Default::default();
        let mut memory = Memory { setup: setup.clone(), held, kept, generation: 0 };
        // Where the layout does not fit, memory is left unbuilt.
        let _ = memory.build();
        memory
    }

    pub(super) fn reset(&mut self, setup: &Setup) {
        if self.setup != *setup {
            *self = Memory::new(setup);
            return;
        }
        for (index, held) in self.held.iter_mut().enumerate() {
            let (start, end) = held.dirty;
            if start < end {
                if held.backing == Backing::Scratch {
                    held.bytes[start..end].fill(0);
                } else {
                    first_content(index).fill(start as u64, &mut held.bytes[start..end]);
                }
            }
            held.dirty = (usize::MAX, 0);
            held.open.close_all();
            held.is_there = true;
        }
        for kept in &mut self.kept {
            kept.generation = None;
        }
        self.generation = 0;
        let _ = self.build();
    }

    /// Where a guest-physical address lies, and how many bytes follow it there.
    pub(super) fn resolve(&self, gpa: u64) -> Option<Run> {
        let index = self.held.iter().position(|held| held.is_there && (held.gpa..held.end()).contains(&gpa))?;
        let held = &self.held[index];
        let earlier = self.held[..index].iter().filter(|earlier| earlier.is_there);
        let cuts = earlier.map(|earlier| earlier.gpa).filter(|start| gpa < *start);
        let end = cuts.fold(held.end(), u64::min);
        Some(Run { index, offset: gpa - held.gpa, bytes: end - gpa })
    }

    /// The first address, from this one on, that lies anywhere.
    fn next_backed(&self, gpa: u64) -> Option<u64> {
        self.held.iter().filter(|held| held.is_there && gpa < held.end()).map(|held| held.gpa.max(gpa)).min()
    }

    /// The runs in a guest-physical range, each with its distance from the range's start.
    pub(super) fn runs(&self, gpa: u64, bytes: u64) -> impl Iterator<Item = (u64, Run)> + '_ {
        let mut position = gpa;
        std::iter::from_fn(move || {
            let start = self.next_backed(position)?;
            let left = bytes.checked_sub(start - gpa).filter(|left| *left != 0)?;
            let run = self.resolve(start)?;
            let run = Run { bytes: run.bytes.min(left), ..run };
            position = start + run.bytes;
            Some((start - gpa, run))
        })
    }

    pub(super) fn bytes(&self, run: &Run) -> &[u8] {
        &self.held[run.index].bytes[at(run.offset)..at(run.offset + run.bytes)]
    }

    pub(super) fn held_mut(&mut self, backing: Backing) -> Option<&mut Held> {
        self.held.get_mut(backing.index())
    }

    pub(super) fn held(&self, backing: Backing) -> Option<&Held> {
        self.held.get(backing.index())
    }

    /// Writes all of the bytes or none.
    pub(super) fn guest_write(&mut self, gpa: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let length = bytes.len() as u64;
        let mut position = 0;
        while position < length {
            let run = gpa.checked_add(position).and_then(|gpa| self.resolve(gpa)).ok_or(Refusal::Gap)?;
            if !self.held[run.index].writable {
                return Err(Refusal::Gap);
            }
            position += run.bytes;
        }
        let mut position = 0;
        while let Some(run) = self.resolve(gpa.wrapping_add(position)).filter(|_| position < length) {
            let end = length.min(position + run.bytes);
            self.held[run.index].write(run.offset, &bytes[at(position)..at(end)]);
            position = end;
        }
        Ok(())
    }

    /// The size of the buffer in scratch.
    pub(super) fn buffer_bytes(&self) -> u32 {
        self.setup.buffer_bytes
    }

    /// Where the list of file mappings begins in scratch.
    fn list_offset(&self) -> u64 {
        u64::from(self.setup.buffer_bytes).next_multiple_of(8)
    }

    /// Where the tail's copy begins and ends in scratch, and where the bookkeeping words are; if it all fits.
    pub(super) fn layout(&self) -> Option<(u64, u64, u64)> {
        let list_end = self.list_offset() + FILE_MAPPING_LIST_BYTES;
        let tail_bytes = u64::from(self.setup.tail_pages) * PAGE_BYTES;
        let start = if tail_bytes == 0 { list_end } else { list_end.next_multiple_of(PAGE_BYTES) };
        let end = start + tail_bytes;
        let words = u64::from(self.setup.scratch_bytes).checked_sub(BOOKKEEPING_BYTES)?;
        (end <= words).then_some((start, end, words))
    }

    fn tail(&self) -> &[u8] {
        let snapshot = &self.held[1].bytes;
        if self.setup.tail_pages == 0 { &[] } else { &snapshot[at(self.setup.tail_offset())..] }
    }

    /// The bookkeeping words, from the lowest address up.
    pub(super) fn bookkeeping(&self) -> Option<[u64; 4]> {
        let (_, tables_end, _) = self.layout()?;
        let tail_gpa = SNAPSHOT_GPA + self.setup.tail_offset();
        let free_gpa = self.held[0].gpa + tables_end;
        Some([self.generation, tail_gpa, free_gpa, u64::from(self.setup.scratch_bytes)])
    }

    fn write_bookkeeping(&mut self) {
        let (Some(words), Some((_, _, offset))) = (self.bookkeeping(), self.layout()) else { return };
        for (index, word) in (0..).zip(words) {
            self.held[0].write(offset + 8 * index, &word.to_le_bytes());
        }
    }

    /// Clears scratch and writes what belongs there.
    pub(super) fn build(&mut self) -> Result<(), Refusal> {
        let (start, _, _) = self.layout().ok_or(Refusal::NoRoom)?;
        let (dirty_start, dirty_end) = self.held[0].dirty;
        if dirty_start < dirty_end {
            self.held[0].bytes[dirty_start..dirty_end].fill(0);
        }
        self.held[0].open.close_all();
        if WORD <= u64::from(self.setup.buffer_bytes) {
            self.held[0].write(0, &WORD.to_le_bytes());
        }
        let (scratch, others) = self.held.split_at_mut(1);
        if self.setup.tail_pages != 0 {
            let tail = at(self.setup.tail_offset());
            scratch[0].write(start, &others[0].bytes[tail..]);
            scratch[0].open.add(at(start), &others[0].open.bits()[tail..]);
        }
        self.write_bookkeeping();
        Ok(())
    }

    /// Takes a snapshot whose tail holds the entries of these tables.
    pub(super) fn snapshot(&mut self, slot: Slot, tables: &Tables) -> Result<u64, Refusal> {
        self.layout().ok_or(Refusal::NoRoom)?;
        let mapped = self.mapped();
        self.generation = self.generation.wrapping_add(1);
        let offset = self.setup.tail_offset();
        let tail_bytes = self.tail().len() as u64;
        let tail = if tail_bytes == 0 { &mut [] } else { self.held[1].touch(offset, tail_bytes) };
        tail.fill(0);
        for (bytes, entry) in tail.chunks_exact_mut(8).zip(tables.entries()) {
            bytes.copy_from_slice(&entry.to_le_bytes());
        }
        let (generation, kept) = (self.generation, &mut self.kept[slot.index()]);
        kept.generation = Some(generation);
        kept.mapped = mapped;
        kept.tail.clear();
        kept.tail.extend_from_slice(tail);
        if tail_bytes != 0 {
            let open = &mut self.held[1].open;
            for (start, bits) in (at(offset)..).step_by(8).zip(tables.open()).take(at(tail_bytes / 8)) {
                open.add(start, &bits.to_le_bytes());
            }
            kept.open.clear();
            kept.open.extend_from_slice(&open.bits()[at(offset)..]);
        }
        self.write_bookkeeping();
        Ok(generation)
    }

    /// Goes back to the snapshot in a slot.
    pub(super) fn restore(&mut self, slot: Slot) -> Result<u64, Refusal> {
        let kept = &self.kept[slot.index()];
        let generation = kept.generation.ok_or(Refusal::Empty)?;
        self.generation = generation;
        for (bit, held) in self.held[2..].iter_mut().enumerate() {
            held.is_there = kept.mapped >> bit & 1 != 0;
        }
        if !kept.tail.is_empty() {
            let offset = self.setup.tail_offset();
            self.held[1].write(offset, &kept.tail);
            self.held[1].open.add(at(offset), &kept.open);
        }
        self.build()?;
        Ok(generation)
    }

    /// Which files are mapped, bit by bit.
    pub(super) fn mapped(&self) -> u8 {
        let files = self.held[2..].iter().enumerate();
        files.fold(0, |mapped, (bit, held)| mapped | u8::from(held.is_there) << bit)
    }

    pub(super) fn map_file(&mut self, file: File) -> Result<(), Refusal> {
        self.switch_file(file, true, Refusal::NoRoom)
    }

    pub(super) fn unmap_file(&mut self, file: File) -> Result<(), Refusal> {
        self.switch_file(file, false, Refusal::Empty)
    }

    fn switch_file(&mut self, file: File, is_there: bool, already: Refusal) -> Result<(), Refusal> {
        let held = self.held_mut(Backing::Mapped(file.index())).ok_or(Refusal::Empty)?;
        if held.is_there == is_there {
            return Err(already);
        }
        held.is_there = is_there;
        Ok(())
    }

    /// The buffer's size and stack pointer.
    fn stack_pointer(&self) -> Result<(u64, u64), Refusal> {
        let size = u64::from(self.setup.buffer_bytes);
        if size < WORD {
            return Err(Refusal::NoRoom);
        }
        let pointer = self.held[0].word(0).unwrap_or(0);
        if (WORD..=size).contains(&pointer) { Ok((size, pointer)) } else { Err(Refusal::Corrupt) }
    }

    pub(super) fn push(&mut self, payload: Payload, prefix: Prefix, length: u16) -> Result<(), Refusal> {
        let (size, pointer) = self.stack_pointer()?;
        let end = pointer + u64::from(length);
        if size < end + WORD {
            return Err(Refusal::NoRoom);
        }
        payload.fill(0, self.held[0].touch(pointer, u64::from(length)));
        if let Some(bytes) = prefix.bytes(length) {
            let kept = usize::from(length).min(4);
            self.held[0].write(pointer, &bytes[..kept]);
        }
        self.held[0].write(end, &pointer.to_le_bytes());
        self.held[0].write(0, &(end + WORD).to_le_bytes());
        Ok(())
    }

    /// Pops an element into `data`, as it is or what follows its prefix. What was popped before may be there still:
    /// whether it is the answer says.
    pub(super) fn pop(&mut self, prefixed: bool, shown: Option<&Outcome>, data: &mut Vec<u8>) -> Result<(), Refusal> {
        let (_, pointer) = self.stack_pointer()?;
        if pointer == WORD {
            return Err(Refusal::Empty);
        }
        let end = pointer - WORD;
        if end < WORD {
            return Err(Refusal::Corrupt);
        }
        let did = shown.map(|seen| seen.result == Seen::Done);
        let guesses = [Guess::WIPED, Guess::KEPT, Guess { prefix: false, ..Guess::KEPT }];
        let fits = |guess: &&Guess| did == Some(self.element(prefixed, end, **guess).is_ok());
        let guess = *guesses.iter().find(fits).unwrap_or(&Guess::WIPED);
        let (start, from) = self.element(prefixed, end, guess)?;
        let scratch = &mut self.held[0];
        scratch.decide(end, WORD, guess.back_pointer);
        scratch.decide(start, from - start, guess.prefix);
        if let Some(seen) = shown.filter(|seen| seen.data.len() as u64 == end - from) {
            scratch.follow(from, &seen.data);
        }
        data.extend_from_slice(&scratch.bytes[at(from)..at(end)]);
        scratch.take_away(start, pointer);
        scratch.write(0, &start.to_le_bytes());
        Ok(())
    }

    /// Where the element that ends here begins, and where what is popped of it begins.
    fn element(&self, prefixed: bool, end: u64, guess: Guess) -> Result<(u64, u64), Refusal> {
        let scratch = &self.held[0];
        let byte = |offset: u64, is_kept: bool| {
            let open = if is_kept { scratch.open.bits()[at(offset)] } else { 0 };
            scratch.bytes[at(offset)] | open
        };
        let back_pointer: [u8; 8] = std::array::from_fn(|index| byte(end + index as u64, guess.back_pointer));
        let start = u64::from_le_bytes(back_pointer);
        if !(WORD..=end).contains(&start) {
            return Err(Refusal::Corrupt);
        }
        if !prefixed {
            return Ok((start, start));
        }
        let rest = (end - start).checked_sub(4).ok_or(Refusal::Corrupt)?;
        let prefix: [u8; 4] = std::array::from_fn(|index| byte(start + index as u64, guess.prefix));
        if u64::from(u32::from_le_bytes(prefix)) == rest { Ok((start, start + 4)) } else { Err(Refusal::Corrupt) }
    }

    pub(super) fn clear(&mut self) -> Result<(), Refusal> {
        let size = u64::from(self.setup.buffer_bytes);
        if size < WORD {
            return Err(Refusal::NoRoom);
        }
        self.held[0].touch(WORD, size - WORD).fill(0);
        self.held[0].write(0, &WORD.to_le_bytes());
        Ok(())
    }

    pub(super) fn add_file_mapping(&mut self, address: u64, length: u64) -> Result<(), Refusal> {
        let list = self.list_offset();
        if u64::from(self.setup.scratch_bytes) < list + FILE_MAPPING_LIST_BYTES {
            return Err(Refusal::NoRoom);
        }
        let count = self.held[0].word(list).unwrap_or(0);
        if MAX_FILE_MAPPINGS <= count {
            return Err(Refusal::NoRoom);
        }
        let entry = list + 8 + count * FILE_MAPPING_BYTES;
        for (index, word) in (0..).zip([address, length, 1]) {
            self.held[0].write(entry + 8 * index, &word.to_le_bytes());
        }
        self.held[0].write(list, &(count + 1).to_le_bytes());
        Ok(())
    }
}
