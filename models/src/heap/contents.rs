//! What the program writes into its blocks: a pattern of noise that begins with a stamp, so that every write can be
//! told from every other one. Program and model make the same bytes from the number of the write. It holds no block.

use crate::Payload;

/// Blocks of at most so many bytes are filled whole; of larger ones the two ends are.
pub const WHOLE_BYTES: u64 = 256;
/// The bytes that are filled at each end of a larger block.
pub const END_BYTES: u64 = 128;
/// The bytes of a stamp.
pub const STAMP_BYTES: usize = 8;
/// How many bytes behind a block that moved the program looks at, in search of what lay behind its old place.
pub const SPARE_BYTES: u64 = 128;

/// Odd, so that multiplication can be undone (the golden ratio's bits, as in Knuth, volume 3, section 6.4).
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;
/// `MIXER * UNMIXER == 1` modulo 2⁶⁴.
const UNMIXER: u64 = inverse(MIXER);
const SLOT_BITS: u32 = 12;
/// More writes than any process makes.
const MOST_WRITES: u64 = 1 << 40;

const fn inverse(odd: u64) -> u64 {
    // Newton's iteration doubles the number of right bits: 3, 6, 12, 24, 48, 96.
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// One write of the program: its number, unique within a process, and the slot that it went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp(u64);

impl Stamp {
    /// The write with this number to this slot. No stamp is zero: that is what fresh memory looks like.
    #[inline]
    #[must_use]
    pub const fn new(number: u64, slot: usize) -> Self {
        let mixed = ((number + 1) << SLOT_BITS | slot as u64).wrapping_mul(MIXER);
        // Low bits of a product say little: of slot 0 they are zero, as memory often is.
        Stamp(mixed ^ mixed >> 32)
    }

    /// The slot that a stamp was written to; `None` of nearly all bits that are no stamp.
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // 12 bits
    pub const fn slot(bits: u64) -> Option<u16> {
        let written = (bits ^ bits >> 32).wrapping_mul(UNMIXER);
        if MOST_WRITES << SLOT_BITS < written { None } else { Some((written & ((1 << SLOT_BITS) - 1)) as u16) }
    }

    /// The stamp as a number, as its bytes are in memory.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn noise(self, from: usize, length: usize) -> &'static [u8] {
        #[allow(clippy::cast_possible_truncation)] // the top 16 of 64 bits, and far fewer bytes than 4 GiB
        let payload = Payload { seed: (self.0 >> 48) as u16, length: (from + length) as u32 };
        payload.bytes().and_then(|bytes| bytes.get(from..)).unwrap_or_default()
    }

    /// Writes the pattern from its beginning: at most 64 KiB.
    #[inline]
    pub fn fill(self, target: &mut [u8]) {
        let noise = self.noise(0, target.len());
        target[..noise.len()].copy_from_slice(noise);
        if let Some(stamp) = target.first_chunk_mut::<STAMP_BYTES>() {
            *stamp = self.0.to_le_bytes();
        }
    }

    /// The offset in `shown` of the first byte that is not the pattern's from `from` on, of a write of `length` bytes
    /// in all.
    #[inline]
    #[must_use]
    pub fn first_difference(self, length: usize, from: usize, shown: &[u8]) -> Option<usize> {
        let stamp = if STAMP_BYTES <= length { STAMP_BYTES } else { 0 };
        let in_stamp = stamp.saturating_sub(from).min(shown.len());
        let bytes = self.0.to_le_bytes();
        if shown[..in_stamp] != bytes[from.min(stamp)..][..in_stamp] {
            return (0..in_stamp).find(|index| shown[*index] != bytes[from + index]);
        }
        let rest = &shown[in_stamp..];
        let noise = self.noise(from + in_stamp, rest.len());
        if rest == noise {
            return None;
        }
        (0..rest.len()).find(|index| noise.get(*index) != rest.get(*index)).map(|index| in_stamp + index)
    }
}

/// The parts of a block of so many bytes that the program fills: of a large one the beginning and the end.
#[inline]
#[must_use]
pub const fn filled(bytes: u64) -> (u64, u64) {
    if bytes <= WHOLE_BYTES { (bytes, bytes) } else { (END_BYTES, bytes - END_BYTES) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stamp_names_its_slot_and_is_not_zero(number in 0..1_u64 << 40, slot in 0..4096_u16) {
            let stamp = Stamp::new(number, slot.into());
            prop_assert_eq!(Stamp::slot(stamp.bits()), Some(slot));
            prop_assert_ne!(stamp.bits(), 0);
        }

        #[test]
        fn what_was_filled_has_no_difference_and_each_change_is_found(
            number: u32, length in 0..600_usize, from in 0..600_usize, wrong in 0..600_usize
        ) {
            let stamp = Stamp::new(number.into(), 7);
            let mut bytes = vec![0; length];
            stamp.fill(&mut bytes);
            let from = from.min(length);
            prop_assert_eq!(stamp.first_difference(length, from, &bytes[from..]), None);
            if from < length {
                let wrong = from + wrong % (length - from);
                bytes[wrong] ^= 1;
                prop_assert_eq!(stamp.first_difference(length, from, &bytes[from..]), Some(wrong - from));
            }
        }
    }
}
