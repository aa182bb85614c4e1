//! The head that a stage was made for: the common case is a trace with the same setup again. It decodes nothing.

use memtwin_models::wire::{Parts, Version};

/// The head that subject and model stand for, in wire bytes.
#[derive(Debug, Default)]
pub(super) struct KnownHead {
    is_whole: bool,
    setup: Vec<u8>,
    /// The optional parts with their number, as version 2 has them; empty where there are none.
    parts: Vec<u8>,
}

impl KnownHead {
    /// Notes the head of a trace: where its setup ends, and where its ops begin.
    pub(super) fn set(&mut self, wire: &[u8], setup_end: usize, ops_begin: usize) {
        self.setup.clear();
        self.parts.clear();
        // A head that ran into the end of the input is no prefix to compare with: longer inputs decode differently.
        self.is_whole = ops_begin < wire.len();
        if self.is_whole {
            self.setup.extend_from_slice(&wire[1..setup_end]);
            let parts = &wire[setup_end..ops_begin];
            if parts.first().is_some_and(|&first| Parts::count(first) != 0) {
                self.parts.extend_from_slice(parts);
            }
        }
    }

    /// How a trace with this head is written, and where its ops begin; nothing where it has another head.
    #[inline]
    pub(super) fn end(&self, wire: &[u8]) -> Option<(Version, usize)> {
        let (first, rest) = wire.split_first().filter(|_| self.is_whole)?;
        let rest = rest.strip_prefix(&self.setup[..])?;
        let end = wire.len() - rest.len();
        match (Version::of(*first), &self.parts[..]) {
            (Version::One, []) => Some((Version::One, end)),
            (Version::One, _) => None,
            (Version::Two, []) => (Parts::count(*rest.first()?) == 0).then_some((Version::Two, end + 1)),
            (Version::Two, parts) => rest.starts_with(parts).then_some((Version::Two, end + parts.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_known_in_both_versions_and_with_its_parts_only() {
        let mut known = KnownHead::default();
        assert_eq!(known.end(&[1, 7, 7]), None);
        known.set(&[1, 7, 7, 9], 3, 3);
        for first in [0, 1, 3] {
            assert_eq!(known.end(&[first, 7, 7, 5]), Some((Version::One, 3)));
        }
        assert_eq!(known.end(&[2, 7, 7, 0, 5]), Some((Version::Two, 4)));
        assert_eq!(known.end(&[2, 7, 7, 8, 5]), Some((Version::Two, 4)), "the number of parts is folded");
        assert_eq!((known.end(&[2, 7, 7, 1, 5]), known.end(&[2, 7, 7]), known.end(&[1, 7])), (None, None, None));
        known.set(&[2, 7, 1, 0, 0, 9], 2, 5);
        assert_eq!(known.end(&[2, 7, 1, 0, 0, 4]), Some((Version::Two, 5)));
        assert_eq!((known.end(&[2, 7, 0, 4]), known.end(&[1, 7, 1, 0, 0])), (None, None));
        known.set(&[1, 7], 2, 2);
        assert_eq!(known.end(&[1, 7, 3]), None, "what was cut off may be longer");
    }
}
