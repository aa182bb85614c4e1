//! Payloads are patterns, not blobs: a seed and a length stand for the bytes, so a wrong byte tells which write made
//! it.

use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

/// A pattern of bytes: `length` bytes of the noise table from offset `seed` on, going round where the table ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// Where in the noise table the pattern begins.
    pub seed: u16,
    /// Length in bytes.
    pub length: u32,
}

/// The longest pattern that [`Payload::bytes`] can show as one slice, in bytes.
pub const MAX_SLICE_BYTES: usize = 1 << 16;

const PERIOD: usize = 1 << 16;
const TABLE_BYTES: usize = PERIOD + MAX_SLICE_BYTES;

/// No byte of it is zero, so that a pattern never looks like fresh memory. The second half repeats the first.
static NOISE: [u8; TABLE_BYTES] = noise();

const fn noise() -> [u8; TABLE_BYTES] {
    let mut table = [0; TABLE_BYTES];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut index = 0;
    while index < PERIOD {
        // xorshift64 (Marsaglia, "Xorshift RNGs", 2003), the top byte of each state.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let byte = state.to_le_bytes()[7];
        table[index] = if byte == 0 { 0x5a } else { byte };
        table[index + PERIOD] = table[index];
        index += 1;
    }
    table
}

impl Payload {
    /// The bytes as one slice; `None` above [`MAX_SLICE_BYTES`].
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> Option<&'static [u8]> {
        let start = usize::from(self.seed);
        NOISE.get(start..start + self.length as usize).filter(|_| self.length as usize <= MAX_SLICE_BYTES)
    }

    /// The byte at `index`, for payloads of any length.
    #[inline]
    #[must_use]
    pub fn byte(&self, index: u64) -> u8 {
        NOISE[self.position(index)]
    }

    /// Fills `target` with the pattern from `index` on.
    pub fn fill(&self, index: u64, target: &mut [u8]) {
        let mut position = self.position(index);
        for chunk in target.chunks_mut(MAX_SLICE_BYTES) {
            chunk.copy_from_slice(&NOISE[position..position + chunk.len()]);
            position = (position + chunk.len()) % PERIOD;
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // below 2^16 after the remainder
    fn position(&self, index: u64) -> usize {
        (usize::from(self.seed) + (index % PERIOD as u64) as usize) % PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_no_zero_byte() {
        assert!(NOISE.iter().all(|&byte| byte != 0));
    }

    #[test]
    fn slice_byte_and_fill_agree() {
        let payload = Payload { seed: 65_530, length: 65_536 };
        let slice = payload.bytes().unwrap();
        let mut filled = vec![0; 65_600];
        payload.fill(0, &mut filled);
        for (index, &byte) in (0..).zip(&filled) {
            assert_eq!(payload.byte(index), byte);
        }
        assert_eq!(slice, &filled[..65_536]);
        assert_eq!(Payload { seed: 0, length: 65_537 }.bytes(), None);
    }
}
