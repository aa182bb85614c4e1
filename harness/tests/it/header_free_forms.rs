//! The three forms of a header_free trace: typed, wire bytes, JSON lines. Typed to either and back is the identity, any bytes
//! decode, and the tag table is frozen.

use arbitrary::{Arbitrary as _, Unstructured};
use memtwin::Target;
use memtwin::models::header_free::{HeaderFree, Libc, MincorePlan, Mode, Op, Setup};
use memtwin::random::hash_name;
use memtwin::target::Dialect;
use memtwin::trace::{Header, Trace};
use proptest::prelude::*;
use std::path::Path;

type FreeTrace = Trace<HeaderFree>;

fn hardened() -> &'static dyn Target {
    let registry = memtwin::built_in();
    registry.index_of("header_free", "hardened").and_then(|index| registry.get(index)).unwrap()
}

fn dialect() -> &'static dyn Dialect {
    hardened().dialect()
}

fn json(trace: &FreeTrace) -> String {
    dialect().print(&trace.to_wire(), &Header::plain())
}

fn from_json(text: &str) -> FreeTrace {
    let header: Header = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    FreeTrace::from_wire(&dialect().parse(Path::new("a.jsonl"), &header, text).unwrap())
}

fn ops_from(bytes: &[u8]) -> Vec<Op> {
    let mut source = Unstructured::new(bytes);
    std::iter::from_fn(|| (!source.is_empty()).then(|| Op::arbitrary(&mut source).ok()).flatten()).take(200).collect()
}

fn setups() -> impl Strategy<Value = Setup> {
    let mode = prop_oneof![Just(Mode::LdPreload), Just(Mode::Direct0), Just(Mode::Direct1)];
    let mincore = prop_oneof![
        Just(MincorePlan::None),
        Just(MincorePlan::Again),
        Just(MincorePlan::SometimesAgain),
        Just(MincorePlan::NotImplemented)
    ];
    let libc = prop_oneof![Just(Libc::Ledger), Just(Libc::Real)];
    (mode, 20..=21_u8, 1..=4_u8, any::<bool>(), mincore, libc).prop_map(
        |(mode, superslab_log2, registry_log2, tiny_header, mincore, libc)| Setup {
            mode,
            superslab_log2,
            registry_log2,
            tiny_header,
            mincore,
            libc,
        },
    )
}

proptest! {
    #[test]
    fn typed_to_both_forms_and_back_is_the_identity(
        setup in setups(),
        bytes in proptest::collection::vec(any::<u8>(), 0..1000),
    ) {
        prop_assert_eq!(setup.check(), Ok(()));
        let trace = FreeTrace { setup, ops: ops_from(&bytes) };
        prop_assert_eq!(&FreeTrace::from_wire(&trace.to_wire()), &trace);
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn generated_traces_keep_through_both_forms(stream: u64, index in 0..1_u64 << 40) {
        let mut wire = Vec::new();
        hardened().traces().write(stream, index, &mut wire);
        let trace = FreeTrace::from_wire(&wire);
        prop_assert_eq!(trace.setup.check(), Ok(()));
        prop_assert_eq!(&trace.to_wire(), &wire, "the generator does not write the canonical form");
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn any_bytes_decode_and_their_canonical_form_stays(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let trace = FreeTrace::from_wire(&bytes);
        prop_assert!(trace.ops.len() <= bytes.len());
        prop_assert_eq!(trace.setup.check(), Ok(()));
        let canonical = trace.to_wire();
        prop_assert_eq!(&FreeTrace::from_wire(&canonical), &trace);
        prop_assert_eq!(FreeTrace::from_wire(&canonical).to_wire(), canonical);
    }
}

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    let mut words = String::new();
    for tag in 0..=255 {
        // Version 1, flags, the registry's size, then the op: the tag, a byte for the rest of the slot and the operand, and what follows.
        let trace = FreeTrace::from_wire(&[1, 0, 3, tag, 0x4d, 3, 4, 5, 6, 7, 8]);
        words.push_str(&serde_json::to_string(&trace.ops[0]).unwrap());
        words.push('\n');
    }
    assert_eq!(hash_name(&words), FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 4_619_048_481_367_007_403;

/// The small operand, in all its values, behind the tags that have one.
#[test]
fn the_operands_are_frozen() {
    let mut words = String::new();
    for row in 0..16 {
        for more in 0..=255 {
            let trace = FreeTrace::from_wire(&[1, 0, 3, row << 4, more, 3, 4, 5, 6]);
            words.push_str(&serde_json::to_string(&trace.ops[0]).unwrap());
            words.push('\n');
        }
    }
    assert_eq!(hash_name(&words), FROZEN_OPERANDS, "the operands of version 1 have changed");
}

const FROZEN_OPERANDS: u64 = 3_443_584_428_646_038_113;

/// A fuzzer that changes a byte should get something else to run, and not the same trace again.
#[test]
fn most_single_byte_changes_give_a_different_trace() {
    let mut random = memtwin::random::Random::new(3);
    let (mut changes, mut different) = (0_u32, 0_u32);
    for index in 0..40 {
        let mut wire = Vec::new();
        hardened().traces().write(5, index * 64, &mut wire);
        wire.truncate(300);
        let trace = FreeTrace::from_wire(&wire);
        for position in 0..wire.len() {
            for _ in 0..4 {
                let mut changed = wire.clone();
                changed[position] ^= u8::try_from(1 + random.below(255)).unwrap();
                changes += 1;
                different += u32::from(FreeTrace::from_wire(&changed) != trace);
            }
        }
    }
    assert!(changes * 9 / 10 <= different, "{different} of {changes} changes give a different trace");
}
