//! What the wire bytes of temp-map traces mean, frozen with version 1.

use crate::trace_forms::meaning_of_tags;
use memtwin::models::temp_map::TempMap;

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    // Version 1, 64 frames from 0x400000 on, no slot taken, then the op.
    let operands: Vec<u8> = (3..40).collect();
    let meaning = meaning_of_tags::<TempMap>(&[1, 58, 0x80, 0x08, 0], &operands);
    assert_eq!(meaning, FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 3_234_008_186_424_778_709;
