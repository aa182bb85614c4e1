//! What the wire bytes of page-walk traces mean, frozen with version 1.

use crate::trace_forms::meaning_of_tags;
use memtwin::models::page_walk::PageWalk;

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    // Version 1, flags, no tail and no file mapping, 16 KiB each, a buffer of 64 bytes, tables at 0x100000, then the
    // op.
    let setup = [1, 0, 0, 0xff, 0x7f, 0xff, 0x7f, 0x40, 0x80, 0x02];
    let meaning = meaning_of_tags::<PageWalk>(&setup, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert_eq!(meaning, FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 7_809_198_658_308_621_237;
