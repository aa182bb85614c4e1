//! Bytes that refused transfers may have written or not, until something shows them. Does not judge.

use super::super::op::Op;
use super::super::outcome::{Outcome, Seen, View};
use super::GuestMemoryModel;
use super::access::Route;
use super::flat_memory::FlatMemory;

/// Bytes that may have been written, from an offset of memory on.
#[derive(Debug, Clone, Copy)]
struct Part {
    start: u64,
    bytes: &'static [u8],
    /// How often the dirty log was cleared before.
    clears: u64,
}

impl Part {
    fn end(self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn byte(self, offset: u64) -> Option<u8> {
        let distance = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(distance).copied()
    }

    /// The bytes from the offset `low` to before `high`, as far as they are here.
    fn within(self, low: u64, high: u64) -> Option<Part> {
        let (low, high) = (low.max(self.start), high.min(self.end()));
        let place = |offset: u64| usize::try_from(offset - self.start).ok();
        let bytes = if low < high { self.bytes.get(place(low)?..place(high)?)? } else { return None };
        Some(Part { start: low, bytes, ..self })
    }
}

/// All parts, in the order of their transfers. Grows with what is refused, and keeps its room.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsettled {
    parts: Vec<Part>,
}

impl Unsettled {
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.parts.clear();
    }

    /// These may have been written, after so many clearings of the dirty log.
    pub(super) fn add(&mut self, start: u64, bytes: &'static [u8], clears: u64) {
        if !bytes.is_empty() {
            self.parts.push(Part { start, bytes, clears });
        }
    }

    /// Whether a byte may have been written there.
    pub(super) fn may_be(&self, offset: u64, byte: u8) -> bool {
        self.first_with(offset, byte).is_some()
    }

    fn first_with(&self, offset: u64, byte: u8) -> Option<Part> {
        self.parts.iter().copied().find(|part| part.byte(offset) == Some(byte))
    }

    /// What is there is known.
    #[inline]
    pub(super) fn forget(&mut self, start: u64, length: u64) {
        if !self.parts.is_empty() {
            self.forget_parts(start, start + length);
        }
    }

    #[cold]
    fn forget_parts(&mut self, low: u64, high: u64) {
        for index in (0..self.parts.len()).rev() {
            let part = self.parts[index];
            if part.within(low, high).is_none() {
                continue;
            }
            let (before, behind) = (part.within(part.start, low), part.within(high, part.end()));
            match (before, behind) {
                (Some(before), behind) => {
                    self.parts[index] = before;
                    behind.into_iter().for_each(|behind| self.parts.insert(index + 1, behind));
                }
                (None, Some(behind)) => self.parts[index] = behind,
                (None, None) => _ = self.parts.remove(index),
            }
        }
    }

    /// Memory was seen to hold these bytes: what one of them says was written, memory takes, and `written` hears
    /// of it, and of how often the dirty log had been cleared before.
    fn settle(&mut self, memory: &mut FlatMemory, start: u64, shown: &[u8], mut written: impl FnMut(u64, u8, u64)) {
        for (offset, &byte) in (start..).zip(shown) {
            if memory.load(offset, 1) != u64::from(byte)
                && let Some(part) = self.first_with(offset, byte)
            {
                memory.store(offset, byte.into(), 1);
                written(offset, byte, part.clears);
            }
        }
        self.forget(start, shown.len() as u64);
    }
}

impl GuestMemoryModel {
    fn settle_bytes(&mut self, start: u64, shown: &[u8]) {
        let (ram, dirty) = (&self.layout.ram, &mut self.dirty);
        self.unsettled.settle(&mut self.memory, start, shown, |offset, byte, clears| {
            dirty.settle(ram.address(offset), offset, byte, clears);
        });
    }

    /// Takes from an outcome what it shows of unsettled bytes.
    #[cold]
    pub(super) fn settle(&mut self, op: &Op, seen: &Outcome) {
        let route = match *op {
            Op::Read { address, size, .. } => self.layout.scalar(address.0, size),
            Op::FetchInstruction { address, .. } => self.layout.scalar(address.0, 4),
            Op::LoadReserved { address, size, .. } => self.layout.reserved(address.0, size),
            Op::AtomicLoad { address, size, .. } | Op::CompareExchange { address, size, .. } => {
                self.layout.atomic_in_host(address.0, size)
            }
            Op::ReadBulk { address, length, .. } => self.layout.bulk(address.0, length.bytes()),
            Op::Dump { .. } if seen.dump.len() as u64 == self.layout.memory_size => {
                return self.settle_bytes(0, &seen.dump);
            }
            Op::Write { .. }
            | Op::StoreConditional { .. }
            | Op::InvalidateReservation { .. }
            | Op::WriteBulk { .. }
            | Op::MemorySize { .. }
            | Op::Dump { .. }
            | Op::Restore { .. }
            | Op::RestoreDump { .. }
            | Op::MapDevice { .. }
            | Op::UnmapDevice { .. }
            | Op::AtomicStore { .. }
            | Op::DirtyLog { .. }
            | Op::TakeDirtyLog { .. } => return,
            Op::DumpDirty { .. } => return self.settle_page_writes(seen),
        };
        let (Route::Memory, Some((address, length))) = (route, op.range()) else { return };
        let start = self.layout.offset(address);
        let length = usize::try_from(length).unwrap_or(0);
        match seen.result {
            Seen::Value(value) | Seen::Exchanged { before: value, .. } => {
                let bytes = value.to_le_bytes();
                self.settle_bytes(start, &bytes[..length.min(bytes.len())]);
            }
            Seen::Done => self.settle_bytes(start, &seen.buffer_bytes()[..length]),
            Seen::Skipped | Seen::Stored(_) | Seen::Moved(_) | Seen::Error(_) => {}
        }
    }

    fn settle_page_writes(&mut self, seen: &Outcome) {
        let mut shown = seen.dump.as_slice();
        for write in &seen.page_writes {
            let Some((bytes, rest)) = shown.split_at_checked(write.length as usize) else { return };
            if let Some(start) = self.layout.ram.offset(write.address, write.length.into()) {
                self.settle_bytes(start, bytes);
            }
            shown = rest;
        }
    }

    /// Takes from what an audit was shown what it shows of unsettled bytes.
    pub(super) fn settle_state(&mut self, view: &View) {
        if let Some(dump) = view.dump.as_ref().filter(|dump| dump.len() as u64 == self.layout.memory_size) {
            self.settle_bytes(0, dump);
        }
        let mut shown = view.bytes.as_slice();
        for &(address, length) in &view.ranges_wanted {
            let Some((bytes, rest)) = shown.split_at_checked(length as usize) else { return };
            self.settle_bytes(self.layout.offset(address), bytes);
            shown = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_or_shown_in_the_middle_leaves_both_ends() {
        let mut unsettled = Unsettled::default();
        unsettled.add(10, &[1, 2, 3, 4, 5, 6], 3);
        unsettled.add(12, &[7, 7], 4);
        unsettled.forget(12, 2);
        let left: Vec<_> = unsettled.parts.iter().map(|part| (part.start, part.bytes)).collect();
        assert_eq!(left, [(10, [1, 2].as_slice()), (14, [5, 6].as_slice())]);
        assert!(unsettled.may_be(15, 6) && !unsettled.may_be(12, 3) && !unsettled.may_be(16, 6));
        let mut memory = FlatMemory::new(32);
        let mut written = Vec::new();
        unsettled.settle(&mut memory, 8, &[0, 0, 1, 0, 9, 9, 8, 6], |offset, byte, clears| {
            written.push((offset, byte, clears));
        });
        assert_eq!(written, [(10, 1, 3), (15, 6, 3)]);
        assert!(unsettled.is_none());
        // A byte that nobody wrote is left to the judge.
        assert_eq!(memory.load(8, 8), 0x0600_0000_0001_0000);
    }
}
