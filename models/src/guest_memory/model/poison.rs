//! Poison in the caller's buffer: what shows that a subject wrote too little, too much, or on a failure anything at
//! all.

use super::super::op::TransferLength;
use super::super::outcome::{Outcome, POISON, REDZONE_BYTES};
use super::flat_memory::position_of_difference;

/// What poisoned bytes are compared with: one comparison of slices costs a fraction of a loop over bytes.
static POISONED: [u8; 4096] = [POISON; 4096];
/// The bytes at each end of a buffer that are poisoned before a read that must fill it.
const END_BYTES: usize = 16;
/// Between the ends one byte of so many is poisoned, so that a gap of this length cannot pass with bytes of an older
/// read.
const GAP_BYTES: usize = 256;

/// Poisons the whole buffer of a bulk read that must fail, and the bytes after it.
pub(super) fn poison_whole(seen: &mut Outcome, length: TransferLength) {
    let length = length.bytes() as usize;
    seen.whole_buffer()[..length + REDZONE_BYTES].fill(POISON);
}

/// Poisons parts of the buffer of a bulk read that must fill it, and the bytes after it. Poisoning all of it would
/// double the cost of a long read.
#[inline]
pub(super) fn poison_parts(seen: &mut Outcome, length: TransferLength) {
    let length = length.bytes() as usize;
    let buffer = &mut seen.whole_buffer()[..length + REDZONE_BYTES];
    buffer[..length.min(END_BYTES)].fill(POISON);
    buffer[length.saturating_sub(END_BYTES)..].fill(POISON);
    let mut position = GAP_BYTES;
    while position < length {
        buffer[position] = POISON;
        position += GAP_BYTES;
    }
}

/// The offset of the first byte of the buffer that lost its poison.
#[inline]
pub(super) fn changed_in_buffer(seen: &Outcome, length: TransferLength) -> Option<u64> {
    changed(&seen.buffer_bytes()[..length.bytes() as usize])
}

/// The same, leaving out the first `count` bytes.
pub(super) fn changed_from(seen: &Outcome, count: u32, length: TransferLength) -> Option<u64> {
    let rest = &seen.buffer_bytes()[..length.bytes() as usize][count as usize..];
    changed(rest).map(|offset| u64::from(count) + offset)
}

/// The offset, from the start of the buffer, of the first byte after it that lost its poison.
#[inline]
pub(super) fn changed_beyond_buffer(seen: &Outcome, length: TransferLength) -> Option<u64> {
    let length = length.bytes() as usize;
    changed(&seen.buffer_bytes()[length..length + REDZONE_BYTES]).map(|offset| length as u64 + offset)
}

#[inline]
fn changed(bytes: &[u8]) -> Option<u64> {
    (0..).zip(bytes.chunks(POISONED.len())).find_map(|(index, chunk)| {
        let poisoned = &POISONED[..chunk.len()];
        (chunk != poisoned).then(|| index * POISONED.len() as u64 + position_of_difference(chunk, poisoned))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_found_where_it_is() {
        let mut seen = Outcome::default();
        for length in [0, 1, 16, 40, 4095, 4096, 4097, 65_536] {
            let length = TransferLength::new_folded(length);
            poison_whole(&mut seen, length);
            assert_eq!((changed_in_buffer(&seen, length), changed_beyond_buffer(&seen, length)), (None, None));
            poison_parts(&mut seen, length);
            assert_eq!((changed_in_buffer(&seen, length), changed_beyond_buffer(&seen, length)), (None, None));
            let end = length.bytes() as usize;
            seen.whole_buffer()[end + 63] = 0;
            assert_eq!(changed_beyond_buffer(&seen, length), Some(end as u64 + 63));
            if let Some(last) = end.checked_sub(1) {
                seen.whole_buffer()[last] = 0;
                assert_eq!(changed_in_buffer(&seen, length), Some(last as u64));
            }
        }
    }

    #[test]
    fn an_old_read_cannot_pass_for_a_new_one() {
        let mut seen = Outcome::default();
        let length = TransferLength::new_folded(1024);
        for start in 0..1024 - GAP_BYTES {
            seen.buffer(length).fill(0);
            poison_parts(&mut seen, length);
            assert!(seen.buffer_bytes()[start..start + GAP_BYTES].contains(&POISON));
        }
    }
}
