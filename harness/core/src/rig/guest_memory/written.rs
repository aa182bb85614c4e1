//! Which patterns lie where in memory: so that a test can say `pattern(3, 0, 64)` where it would else list bytes. It
//! knows no values, and what it does not know is listed.

use memtwin_models::Payload;
use std::collections::BTreeMap;

/// A piece of a pattern: its end, where the pattern begins, and which one it is.
type Piece = (u64, u64, Payload);

/// The pieces, by their first address. They do not overlap.
#[derive(Debug, Default)]
pub(super) struct Written {
    pieces: BTreeMap<u64, Piece>,
}

impl Written {
    /// A pattern was written from this address on.
    pub(super) fn pattern(&mut self, address: u64, payload: Payload) {
        let end = address.saturating_add(payload.length.into());
        self.bytes(address, payload.length.into());
        if address < end {
            self.pieces.insert(address, (end, address, payload));
        }
    }

    /// Bytes were written that are part of no pattern.
    pub(super) fn bytes(&mut self, address: u64, length: u64) {
        let end = address.saturating_add(length);
        // At most one piece begins before, and ends within or behind.
        if let Some((&start, &(last, from, payload))) = self.pieces.range(..address).next_back() {
            if address < last {
                self.pieces.insert(start, (address, from, payload));
            }
            if end < last {
                self.pieces.insert(end, (last, from, payload));
            }
        }
        while let Some((&start, &(last, from, payload))) = self.pieces.range(address..end).next() {
            self.pieces.remove(&start);
            if end < last {
                self.pieces.insert(end, (last, from, payload));
            }
        }
    }

    /// The pattern at this address: which one, from which of its bytes on, and how many of them lie there.
    pub(super) fn at(&self, address: u64) -> Option<(Payload, u64, u64)> {
        let (_, &(end, from, payload)) = self.pieces.range(..=address).next_back()?;
        (address < end).then(|| (payload, address - from, end - address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_writer_is_known_for_every_byte() {
        let payload = |seed: u16, length: u64| Payload { seed, length: u32::try_from(length).unwrap() };
        let mut written = Written::default();
        let mut bytes: Vec<Option<(u16, u64)>> = vec![None; 64];
        let writes =
            [(0, 64, 1), (8, 16, 2), (10, 4, 0), (20, 8, 3), (0, 9, 0), (60, 4, 4), (30, 1, 0), (25, 30, 5), (0, 0, 6)];
        for (address, length, seed) in writes {
            if seed == 0 {
                written.bytes(address, length);
            } else {
                written.pattern(address, payload(seed, length));
            }
            for index in 0..length {
                bytes[usize::try_from(address + index).unwrap()] = (seed != 0).then_some((seed, index));
            }
            for (address, byte) in (0..).zip(&bytes) {
                let at = written.at(address);
                assert_eq!(at.map(|(payload, index, _)| (payload.seed, index)), *byte, "at {address} after {seed}");
                if let Some((_, _, left)) = at {
                    assert!(1 <= left && written.at(address + left - 1).map(|(_, _, left)| left) == Some(1));
                }
            }
        }
    }
}
