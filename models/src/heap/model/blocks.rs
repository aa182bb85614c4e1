//! The blocks that the program holds, and what it wrote into them. It holds no bytes: the numbers of writes are enough.

use super::super::contents::{SPARE_BYTES, Stamp, filled};
use super::super::operands::{SLOTS, Slot};
use super::super::shown::Window;

/// A live block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) address: u64,
    pub(super) size: u64,
    /// What the program knows to be its own: the size asked for, or what `malloc_usable_size` told.
    pub(super) granted: u64,
    /// What the program pushed, as a growing buffer.
    pub(super) length: u64,
    pub(super) align: u64,
    /// How many blocks the trace made before.
    pub(super) number: u64,
    head: Written,
    tail: Written,
    /// Its place in the list of live slots, plus one.
    place: u16,
}

/// Bytes of a block that the program wrote at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Written {
    stamp: Stamp,
    /// Where in the block they begin.
    start: u64,
    /// How many were written.
    length: u64,
    /// How many of them are still the block's.
    kept: u64,
}

impl Written {
    fn cut(&mut self, bytes: u64) {
        self.kept = self.kept.min(bytes.saturating_sub(self.start));
    }

    /// The offset in the block of the first byte of a window that was written and differs.
    #[allow(clippy::cast_possible_truncation)] // writes and windows have at most 64 KiB
    fn first_difference(&self, window: Window, shown: &[u8]) -> Option<u64> {
        let low = self.start.max(window.offset);
        let high = (self.start + self.kept).min(window.offset + shown.len() as u64);
        if high <= low {
            return None;
        }
        let bytes = &shown[(low - window.offset) as usize..(high - window.offset) as usize];
        let difference = self.stamp.first_difference(self.length as usize, (low - self.start) as usize, bytes);
        difference.map(|offset| low + offset as u64)
    }
}

impl Block {
    /// Where the block ends that the program knows of.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.address.saturating_add(self.granted.max(self.size))
    }

    /// The program fills the block, as it does whenever it got one.
    #[inline]
    pub(super) fn fill(&mut self, slot: Slot, number: u64) {
        let (head, tail) = filled(self.size);
        self.write(slot, number, head);
        self.write_tail(slot, number + 1, tail, self.size);
    }

    /// The program writes so many of the first bytes.
    #[inline]
    pub(super) fn write(&mut self, slot: Slot, number: u64, length: u64) {
        self.head = Written { stamp: Stamp::new(number, slot.index()), start: 0, length, kept: length };
        // What the longer write covers of the tail is gone.
        if self.tail.start < length {
            self.tail.kept = 0;
        }
    }

    #[inline]
    fn write_tail(&mut self, slot: Slot, number: u64, start: u64, end: u64) {
        let length = end - start;
        self.tail = Written { stamp: Stamp::new(number, slot.index()), start, length, kept: length };
    }

    /// The program learns that so many bytes are its own, and writes the end of those that are new to it.
    pub(super) fn grant(&mut self, slot: Slot, number: u64, granted: u64) {
        let start = self.granted.max(granted.saturating_sub(super::super::contents::END_BYTES));
        self.write_tail(slot, number, start, granted);
        self.granted = granted;
    }

    /// The block has another size; what was written and still fits is kept.
    pub(super) fn resize(&mut self, address: u64, size: u64, kept: u64) {
        self.head.cut(kept);
        self.tail.cut(kept);
        (self.address, self.size, self.granted) = (address, size, size);
    }

    /// The offset of the first byte of a window that is not what the program wrote.
    #[inline]
    pub(super) fn first_difference(&self, window: Window, shown: &[u8]) -> Option<u64> {
        self.head.first_difference(window, shown).or_else(|| self.tail.first_difference(window, shown))
    }

    /// The bytes of a window that the program wrote, over what was seen. For explanations.
    #[allow(clippy::cast_possible_truncation)] // as above
    pub(super) fn allowed(&self, window: Window, shown: &[u8]) -> Vec<u8> {
        let mut allowed = shown.to_vec();
        for written in [&self.head, &self.tail] {
            let mut bytes = vec![0; written.length as usize];
            written.stamp.fill(&mut bytes);
            for (index, byte) in bytes.iter().take(written.kept as usize).enumerate() {
                let offset = written.start + index as u64;
                let place = offset.checked_sub(window.offset).and_then(|place| allowed.get_mut(place as usize));
                if let Some(place) = place {
                    *place = *byte;
                }
            }
        }
        allowed
    }

    /// The bits of the stamp that the block begins with, if it is long enough for one.
    pub(super) fn leading_stamp(&self) -> Option<u64> {
        (8 <= self.head.kept && 8 <= self.head.length).then_some(self.head.stamp.bits())
    }
}

/// The program's slots.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    slots: Box<[Block]>,
    live: Vec<Slot>,
    live_bytes: u64,
    made: u64,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Blocks {
            slots: vec![Block::default(); SLOTS.into()].into(),
            live: Vec::with_capacity(SLOTS.into()),
            live_bytes: 0,
            made: 0,
        }
    }

    /// The live slots, in no order.
    #[inline]
    pub(super) fn live(&self) -> &[Slot] {
        &self.live
    }

    /// The bytes asked for that are live.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Block> {
        Some(&self.slots[slot.index()]).filter(|block| block.place != 0)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Block> {
        Some(&mut self.slots[slot.index()]).filter(|block| block.place != 0)
    }

    /// The live blocks, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Block)> {
        self.live.iter().map(|slot| (*slot, &self.slots[slot.index()]))
    }

    pub(super) fn clear(&mut self) {
        for slot in self.live.drain(..) {
            self.slots[slot.index()] = Block::default();
        }
        (self.live_bytes, self.made) = (0, 0);
    }

    /// A new block in an empty slot.
    #[inline]
    pub(super) fn put(&mut self, slot: Slot, address: u64, size: u64, align: u64) -> &mut Block {
        self.live.push(slot);
        self.live_bytes = self.live_bytes.saturating_add(size);
        #[allow(clippy::cast_possible_truncation)] // at most 4096 slots
        let place = self.live.len() as u16;
        let number = self.made;
        self.made += 1;
        let block = &mut self.slots[slot.index()];
        *block = Block { address, size, granted: size, align, number, place, ..Block::default() };
        block
    }

    /// The block of a slot is no more.
    #[inline]
    pub(super) fn take(&mut self, slot: Slot) -> Option<Block> {
        let block = std::mem::take(&mut self.slots[slot.index()]);
        let place = usize::from(block.place.checked_sub(1)?);
        self.live.swap_remove(place);
        if let Some(moved) = self.live.get(place) {
            self.slots[moved.index()].place = block.place;
        }
        self.live_bytes = self.live_bytes.saturating_sub(block.size);
        Some(block)
    }

    /// The block of a slot has another size, and perhaps another place.
    pub(super) fn resize(&mut self, slot: Slot, address: u64, size: u64, kept: u64) -> Option<&mut Block> {
        let old = self.get(slot)?.size;
        self.live_bytes = self.live_bytes.saturating_sub(old).saturating_add(size);
        let block = self.get_mut(slot)?;
        block.resize(address, size, kept);
        Some(block)
    }

    /// The address of a live block, not in the slot `moving`, that shares a byte with the range, or that begins with it
    /// where one of both is empty.
    pub(super) fn overlapping(&self, moving: Option<Slot>, address: u64, end: u64) -> Option<u64> {
        let meets = |block: &Block| {
            let shares = address < block.end() && block.address < end;
            shares || address == block.address
        };
        let mut others = self.iter().filter(|(slot, _)| moving != Some(*slot));
        others.find(|(_, block)| meets(block)).map(|(_, block)| block.address)
    }

    /// The offset, in a block that moved, of bytes with which another live block begins that lay behind the old place.
    pub(super) fn copied_along(&self, moved: Slot, old_address: u64, window: Window, shown: &[u8]) -> Option<u64> {
        let limit = usize::try_from(SPARE_BYTES).unwrap_or(0).min(shown.len());
        // A neighbour begins at a multiple of 8, unless it is too small to be known by its stamp.
        let first = old_address.wrapping_add(window.offset).wrapping_neg() & 7;
        let mut offset = usize::try_from(first).unwrap_or(0);
        while let Some(bytes) = shown[..limit].get(offset..).and_then(|rest| rest.first_chunk::<8>()) {
            let bits = u64::from_le_bytes(*bytes);
            let distance = window.offset + offset as u64;
            if let Some(slot) = Stamp::slot(bits).map(Slot::new_folded)
                && slot != moved
                && let Some(block) = self.get(slot)
                && block.leading_stamp() == Some(bits)
                && block.address == old_address.wrapping_add(distance)
            {
                return Some(distance);
            }
            offset += 8;
        }
        None
    }
}
