//! How kept traces lie in a log: their bytes one after the other, compressed, as text. Nearly all of a log is kept
//! traces. A log is a file, so what it claims is not trusted: unpacked it takes a small multiple of what it takes on
//! disk.

use crate::feedback::Kept;
use crate::isolate::{KEPT_BYTES, read_kept, write_kept};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use std::borrow::Cow;

/// How hard it is tried. Traces are mostly noise: more effort than this saves three bytes of a hundred.
const LEVEL: u8 = 1;
/// What compresses better than this is stored as it is, so that nothing that was packed here grows more when it is
/// unpacked.
const MOST_GROWTH: usize = 16;

pub(in crate::campaign) fn serialize<S: Serializer>(kept: &[Kept], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD_NO_PAD.encode(pack(kept)))
}

pub(in crate::campaign) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Kept>, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    let packed = STANDARD_NO_PAD.decode(text.as_bytes()).map_err(D::Error::custom)?;
    unpack(&packed).ok_or_else(|| D::Error::custom("kept traces that cannot be unpacked"))
}

fn pack(kept: &[Kept]) -> Vec<u8> {
    let mut bytes = Vec::new();
    kept.iter().for_each(|kept| write_kept(kept, &mut bytes));
    let packed = compress_to_vec(&bytes, LEVEL);
    if bytes.len() <= MOST_GROWTH * packed.len() { packed } else { compress_to_vec(&bytes, 0) }
}

fn unpack(packed: &[u8]) -> Option<Vec<Kept>> {
    let bytes = decompress_to_vec_with_limit(packed, KEPT_BYTES.min(MOST_GROWTH * packed.len())).ok()?;
    let mut rest = bytes.as_slice();
    let kept = std::iter::from_fn(|| read_kept(&mut rest)).collect();
    // A trace that is cut short is not read, nor are any after it.
    rest.is_empty().then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn noise(random: &mut Random, length: u32) -> Vec<u8> {
        (0..length).map(|_| random.bits().to_le_bytes()[0]).collect()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let mut random = Random::new(1);
        let drawn = |number: u32| Kept { wire: noise(&mut random, 40 * number), reached: vec![7; number as usize] };
        let many: Vec<Kept> = (0..40).map(drawn).collect();
        let same = Kept { wire: vec![0; 1 << 20], reached: Vec::new() };
        for kept in [Vec::new(), many, vec![same]] {
            let packed = pack(&kept);
            assert_eq!(unpack(&packed).as_ref(), Some(&kept));
            for end in (0..packed.len()).step_by(1 + packed.len() / 100) {
                assert_ne!(unpack(&packed[..end]).as_ref(), Some(&kept));
            }
        }
    }

    #[test]
    fn what_grows_without_measure_is_refused() {
        let bomb = compress_to_vec(&vec![0; 1 << 20], 9);
        assert!(bomb.len() < 2000 && unpack(&bomb).is_none());
    }
}
