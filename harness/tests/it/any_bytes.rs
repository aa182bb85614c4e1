//! Any bytes are a trace: a million random strings for each component decode, and their canonical forms decode to the
//! same.

use memtwin::random::{Random, mix};

const STRINGS: u64 = 1_000_000;
const MOST_BYTES: u32 = 96;
/// An op is at least one byte on the wire; what its bytes leave out is filled up with few more.
const MOST_OPS: usize = MOST_BYTES as usize;
/// The longest op on the wire is far below this, so no short string becomes a long trace.
const MOST_CANONICAL_BYTES: usize = 64 * MOST_BYTES as usize;

#[test]
fn a_million_random_strings_decode_in_bounds() {
    for dialect in memtwin::built_in().dialects() {
        let mut bytes = Vec::new();
        let (mut ops, mut looked_at) = (0, 0);
        for number in 0..STRINGS {
            let mut random = Random::new(mix(7, number));
            bytes.clear();
            bytes.extend((0..random.below(MOST_BYTES + 1)).map(|_| random.below(256).to_le_bytes()[0]));
            let canonical = dialect.canonical(&bytes);
            assert!(canonical.len() <= MOST_CANONICAL_BYTES, "{}: {bytes:02x?}", dialect.name());
            if number % 64 == 0 {
                assert_eq!(dialect.canonical(&canonical), canonical, "{}: {bytes:02x?}", dialect.name());
                let count = dialect.op_count(&bytes);
                assert!(count <= MOST_OPS, "{}: {count} ops of {} bytes", dialect.name(), bytes.len());
                assert_eq!(dialect.op_count(&canonical), count, "{}: {bytes:02x?}", dialect.name());
                ops += count;
                looked_at += 1;
            }
        }
        assert!(looked_at < ops, "{}: {ops} ops", dialect.name());
    }
}
