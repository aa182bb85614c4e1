//! The blocks that the program holds and what it put into them. Does not hold the bytes: patterns are enough.

use super::super::operands::{SLOTS, Slot};
use crate::Payload;

/// A live block.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) align: u64,
    /// What is known of the block, in order and without gaps: to the end of what the program wrote.
    segments: Vec<Segment>,
    is_live: bool,
}

/// Bytes of one origin, from where the segment before ends.
#[derive(Debug, Clone, Copy)]
struct Segment {
    /// The offset of the first byte after it, in the block.
    end: u64,
    source: Content,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    /// Nobody wrote them.
    Unknown,
    Zero,
    /// Bytes of a pattern that begins at this offset of the block.
    Pattern {
        payload: Payload,
        base: u64,
    },
}

static ZEROS: [u8; 4096] = [0; 4096];

impl Block {
    /// Where what the program wrote ends, from the block's beginning.
    pub(super) fn known(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.end)
    }

    pub(super) fn zero(&mut self) {
        self.segments.clear();
        self.segments.push(Segment { end: self.size, source: Content::Zero });
    }

    /// The program copies a pattern to the beginning, as far as it fits.
    pub(super) fn write(&mut self, seed: u16, length: u32) {
        let end = u64::from(length).min(self.size);
        if end == 0 {
            return;
        }
        self.segments.retain(|segment| end < segment.end);
        let source = Content::Pattern { payload: Payload { seed, length }, base: 0 };
        self.segments.insert(0, Segment { end, source });
    }

    /// The program copies a pattern to the end, as far as it fits.
    pub(super) fn write_end(&mut self, seed: u16, length: u32) {
        let bytes = u64::from(length).min(self.size);
        if bytes == 0 {
            return;
        }
        let base = self.size - bytes;
        let known = self.known();
        self.truncate(base);
        if known < base {
            self.segments.push(Segment { end: base, source: Content::Unknown });
        }
        let source = Content::Pattern { payload: Payload { seed, length }, base };
        self.segments.push(Segment { end: self.size, source });
    }

    /// The program puts a pattern after the known bytes; it fits.
    pub(super) fn append(&mut self, seed: u16, bytes: u64) {
        let base = self.known();
        if bytes != 0 {
            let length = u32::try_from(bytes).unwrap_or(u32::MAX);
            let source = Content::Pattern { payload: Payload { seed, length }, base };
            self.segments.push(Segment { end: base + bytes, source });
        }
    }

    fn truncate(&mut self, size: u64) {
        let mut start = 0;
        self.segments.retain_mut(|segment| {
            let keeps = start < size;
            start = segment.end;
            segment.end = segment.end.min(size);
            keeps
        });
    }

    /// Each segment's part of what is shown from an offset of the block on, with where it lies in what is shown.
    fn parts<'a>(&'a self, first: u64, shown: &'a [u8]) -> impl Iterator<Item = (Content, usize, &'a [u8])> {
        let mut start = first;
        self.segments.iter().filter_map(move |segment| {
            let end = segment.end.min(first + shown.len() as u64);
            let from = usize::try_from(start - first).ok()?;
            let to = usize::try_from(end.checked_sub(first)?).ok()?;
            start = start.max(end);
            Some((segment.source, from, shown.get(from..to).filter(|part| !part.is_empty())?))
        })
    }

    /// What is shown from an offset of the block on, as it is known to be; what nobody wrote is as it is shown. Ends
    /// with what is known. For explanations: it makes a copy.
    pub(super) fn known_bytes(&self, first: u64, shown: &[u8]) -> Vec<u8> {
        let mut known = Vec::new();
        for (source, from, bytes) in self.parts(first, shown) {
            known.extend_from_slice(bytes);
            match source {
                Content::Unknown => {}
                Content::Zero => known[from..].fill(0),
                Content::Pattern { payload, base } => payload.fill(first + from as u64 - base, &mut known[from..]),
            }
        }
        known
    }

    /// The offset in the block of the first byte that is not as it is known to be, of those shown from an offset on.
    pub(super) fn first_difference(&self, first: u64, shown: &[u8]) -> Option<u64> {
        self.parts(first, shown).find_map(|(source, from, bytes)| {
            let expected = match source {
                Content::Unknown => return None,
                Content::Zero => None,
                Content::Pattern { payload, base } => {
                    let skipped = usize::try_from(first + from as u64 - base).ok()?;
                    payload.bytes()?.get(skipped..)?.get(..bytes.len())
                }
            };
            let differs = match expected {
                Some(expected) => bytes != expected,
                None => bytes.chunks(ZEROS.len()).any(|chunk| chunk != &ZEROS[..chunk.len()]),
            };
            let is_wrong = |(index, byte): (usize, &u8)| *byte != expected.map_or(0, |expected| expected[index]);
            differs.then(|| first + (from + bytes.iter().enumerate().position(is_wrong).unwrap_or(0)) as u64)
        })
    }
}

/// The program's slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    slots: [Block; SLOTS as usize],
    live: usize,
}

impl Blocks {
    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.slots.iter().filter(|block| block.is_live)
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Block> {
        Some(&self.slots[slot.index()]).filter(|block| block.is_live)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Block> {
        Some(&mut self.slots[slot.index()]).filter(|block| block.is_live)
    }

    /// Forgets everything and keeps the room.
    pub(super) fn clear(&mut self) {
        for block in &mut self.slots {
            block.segments.clear();
            block.is_live = false;
        }
        self.live = 0;
    }

    pub(super) fn free(&mut self, slot: Slot) {
        let block = &mut self.slots[slot.index()];
        self.live -= usize::from(block.is_live);
        block.is_live = false;
        block.segments.clear();
    }

    /// A new block of unknown bytes in an empty slot.
    pub(super) fn put(&mut self, slot: Slot, address: u64, size: u64, align: u64) -> &mut Block {
        self.live += 1;
        let block = &mut self.slots[slot.index()];
        (block.address, block.size, block.align, block.is_live) = (address, size, align, true);
        block
    }

    pub(super) fn resize(&mut self, slot: Slot, address: u64, size: u64, align: u64) -> Option<&Block> {
        let block = self.get_mut(slot)?;
        block.truncate(size);
        (block.address, block.size, block.align) = (address, size, align);
        Some(block)
    }

    /// The address of a live block, not in the slot `moving`, that shares a byte with the range.
    pub(super) fn overlapping(&self, moving: Option<Slot>, address: u64, size: u64) -> Option<u64> {
        let others = self.slots.iter().enumerate().filter(|(index, block)| {
            block.is_live && moving.is_none_or(|moving| moving.index() != *index) && block.size != 0 && size != 0
        });
        let mut meeting =
            others.filter(|(_, block)| address < block.address + block.size && block.address < address + size);
        meeting.next().map(|(_, block)| block.address)
    }
}
