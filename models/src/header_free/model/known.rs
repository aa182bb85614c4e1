//! The bytes that the program put into a block, as far as the model keeps them: from the start on, and at the end. Does
//! not know what is between.

use super::super::op::MAX_END_BYTES;
use super::super::setup::Header;
use crate::Payload;

/// The known bytes of a block.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// From the start on.
    head: Vec<u8>,
    /// At the end, where the head does not come up to.
    tail: Vec<u8>,
    /// Where the tail begins: beyond the head, where there is a tail.
    tail_start: usize,
}

impl Known {
    pub(super) const NOTHING: Known = Known { head: Vec::new(), tail: Vec::new(), tail_start: 0 };

    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.tail.clear();
    }

    /// The bytes from the start on.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The bytes at the end, and where they begin.
    pub(super) fn tail(&self) -> (usize, &[u8]) {
        (self.tail_start, &self.tail)
    }

    /// How many bytes are known.
    pub(super) fn length(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// The program copies a pattern to the start of so many bytes.
    pub(super) fn write(&mut self, payload: &Payload, granted: u64) {
        let bytes = first(payload.bytes().unwrap_or_default(), granted);
        let overwritten = bytes.len().min(self.head.len());
        self.head[..overwritten].copy_from_slice(&bytes[..overwritten]);
        self.head.extend_from_slice(&bytes[overwritten..]);
        self.join();
    }

    /// The program copies a pattern to the end of so many bytes.
    pub(super) fn write_end(&mut self, payload: &Payload, granted: u64) {
        let bytes = first(payload.bytes().unwrap_or_default(), granted.min(u64::from(MAX_END_BYTES)));
        if bytes.is_empty() {
            return;
        }
        self.tail.clear();
        self.tail.extend_from_slice(bytes);
        self.tail_start = usize::try_from(granted).unwrap_or(usize::MAX) - bytes.len();
        if self.tail_start < self.head.len() {
            self.head.truncate(self.tail_start);
        }
        self.join();
    }

    /// A head that comes up to the tail takes it in.
    fn join(&mut self) {
        let Some(within) = self.head.len().checked_sub(self.tail_start) else { return };
        if let Some(rest) = self.tail.get(within..) {
            self.head.extend_from_slice(rest);
        }
        self.tail.clear();
    }

    /// The program writes a forged header; what lies beyond the known bytes stays unknown.
    pub(super) fn forge(&mut self, offset: u64, granted: u64, header: &Header) {
        for (index, byte) in (offset..granted).zip(header) {
            let Ok(index) = usize::try_from(index) else { return };
            let of_tail = index.checked_sub(self.tail_start);
            let known = match self.head.get_mut(index) {
                Some(known) => Some(known),
                None => of_tail.and_then(|index| self.tail.get_mut(index)),
            };
            if let Some(known) = known {
                *known = *byte;
            }
        }
    }

    /// Only the first bytes are kept.
    pub(super) fn keep(&mut self, kept: u64) {
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        self.head.truncate(kept);
        self.tail.truncate(kept.saturating_sub(self.tail_start));
    }

    /// Where shown bytes, the head and then the tail, differ from these.
    pub(super) fn difference(&self, shown: &[u8]) -> Option<u64> {
        let (head, tail) = shown.split_at_checked(self.head.len())?;
        let differs = |known: &[u8], shown: &[u8]| known.iter().zip(shown).position(|(known, seen)| known != seen);
        if head != self.head {
            return differs(&self.head, head).map(|offset| offset as u64);
        }
        differs(&self.tail, tail).map(|offset| (self.tail_start + offset) as u64)
    }
}

fn first(bytes: &[u8], most: u64) -> &[u8] {
    &bytes[..bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(seed: u16, length: u32) -> Payload {
        Payload { seed, length }
    }

    #[test]
    fn head_and_tail_meet_and_are_one() {
        let mut known = Known::NOTHING;
        known.write_end(&pattern(1, 16), 100);
        assert_eq!((known.head().len(), known.tail().0, known.length()), (0, 84, 16));
        known.write(&pattern(2, 84), 100);
        assert_eq!((known.head().len(), known.tail().1.len()), (100, 0));
        let (new, old) = (pattern(2, 84), pattern(1, 16));
        assert!(known.head()[..84] == *new.bytes().unwrap() && known.head()[84..] == *old.bytes().unwrap());
        known.write_end(&pattern(3, 8), 100);
        assert!(known.head()[92..] == *pattern(3, 8).bytes().unwrap() && known.length() == 100);
    }

    #[test]
    fn what_is_cut_off_is_unknown_at_either_end() {
        let mut known = Known::NOTHING;
        known.write(&pattern(1, 10), 100);
        known.write_end(&pattern(2, 200), 100);
        assert_eq!((known.tail().0, known.length()), (36, 10 + 64));
        known.keep(50);
        assert_eq!((known.head().len(), known.tail().1.len()), (10, 14));
        known.keep(20);
        assert_eq!((known.head().len(), known.tail().1.len()), (10, 0));
        known.keep(5);
        assert_eq!(known.length(), 5);
        known.write(&pattern(4, 30), 100);
        assert_eq!(known.length(), 30, "a tail that is gone comes back");
    }

    #[test]
    fn differences_are_told_by_their_place() {
        let mut known = Known::NOTHING;
        known.write(&pattern(1, 4), 100);
        known.write_end(&pattern(2, 4), 100);
        known.forge(98, 100, &[7; 32]);
        let mut shown = [known.head(), known.tail().1].concat();
        assert_eq!(shown[6..], [7, 7]);
        assert_eq!(known.difference(&shown), None);
        shown[6] = 8;
        assert_eq!(known.difference(&shown), Some(98));
        shown[1] ^= 1;
        assert_eq!(known.difference(&shown), Some(1));
    }
}
