//! What the wire bytes of header_free traces mean, frozen with version 1.

use crate::trace_forms::{meaning, meaning_of_tags};
use memtwin::models::header_free::HeaderFree;

/// Version 1, flags, the registry's size.
const SETUP: [u8; 3] = [1, 0, 3];

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    // A byte for the rest of the slot and the operand, and what follows.
    let meaning = meaning_of_tags::<HeaderFree>(&SETUP, &[0x4d, 3, 4, 5, 6, 7, 8]);
    assert_eq!(meaning, FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 4_619_048_481_367_007_403;

/// The small operand, in all its values, behind the tags that have one.
#[test]
fn the_operands_are_frozen() {
    let heads = (0..16).flat_map(|row| (0..=255).map(move |more| [row << 4, more]));
    let meaning = meaning::<HeaderFree>(heads.map(|head| [&SETUP[..], &head, &[3, 4, 5, 6]].concat()));
    assert_eq!(meaning, FROZEN_OPERANDS, "the operands of version 1 have changed");
}

const FROZEN_OPERANDS: u64 = 3_443_584_428_646_038_113;
