//! What the wire bytes of header_free traces mean, frozen with the versions that have them.

use crate::trace_forms::{meaning, meaning_of_tags};
use memtwin::models::header_free::HeaderFree;
use memtwin::random::hash_name;
use memtwin::trace::Trace;

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

/// Second tags, each followed by the same bytes: ops that came later than version 1.
#[test]
fn the_second_tags_are_frozen() {
    // A setup without parts, the lane, the row of long tags.
    let heads = (16..=255).map(|second| [2, 0, 3, 0, 0, 240, second]);
    let operands = [[0x4d, 3, 4, 5, 6, 7, 8], [0x3c, 1, 2, 3, 4, 5, 6], [0x87, 9, 9, 9, 9, 9, 9]];
    let all = heads.flat_map(|head| operands.map(|rest| [&head[..], &rest].concat()));
    assert_eq!(meaning::<HeaderFree>(all), FROZEN_SECOND_TAGS, "the second tags of version 2 have changed");
}

const FROZEN_SECOND_TAGS: u64 = 4_404_819_625_837_466_733;

/// The optional parts of setups, in all values of their first byte.
#[test]
fn the_parts_of_setups_are_frozen() {
    let mut words = String::new();
    for wire in (0..3_u8).flat_map(|name| (0..=255).map(move |value| [2, 4, 3, 1, name, 2, value, 1])) {
        words.push_str(&serde_json::to_string(&Trace::<HeaderFree>::from_wire(&wire).setup).unwrap());
    }
    assert_eq!(hash_name(&words), FROZEN_PARTS, "the parts of setups have changed");
}

const FROZEN_PARTS: u64 = 16_912_263_261_616_494_378;
