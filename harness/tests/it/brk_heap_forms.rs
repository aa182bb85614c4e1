//! What the wire bytes of brk-heap traces mean, frozen with version 1.

use crate::trace_forms::meaning_of_tags;
use memtwin::models::brk_heap::BrkHeap;

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    // Version 1, flags, the smallest .bss, 64 frames, five places on the stack, then the op.
    let setup = [1, 0, 0, 63, 0, 0, 0, 0, 0];
    let meaning = meaning_of_tags::<BrkHeap>(&setup, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(meaning, FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 2_796_113_645_566_052_397;
