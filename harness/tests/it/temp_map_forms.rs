//! The three forms of a temp-map trace: typed, wire bytes, JSON lines. Typed to either and back is the identity, any bytes
//! decode, and the tag table is frozen.

use arbitrary::{Arbitrary as _, Unstructured};
use memtwin::Target;
use memtwin::models::temp_map::{Op, PhysicalAddress, Setup, TempMap};
use memtwin::random::hash_name;
use memtwin::target::Dialect;
use memtwin::trace::{Header, Trace};
use proptest::prelude::*;
use std::path::Path;

type KernelTrace = Trace<TempMap>;

fn hardened() -> &'static dyn Target {
    let registry = memtwin::built_in();
    registry.index_of("temp_map", "hardened").and_then(|index| registry.get(index)).unwrap()
}

fn dialect() -> &'static dyn Dialect {
    hardened().dialect()
}

fn json(trace: &KernelTrace) -> String {
    dialect().print(&trace.to_wire(), &Header::plain())
}

fn from_json(text: &str) -> KernelTrace {
    let header: Header = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    KernelTrace::from_wire(&dialect().parse(Path::new("a.jsonl"), &header, text).unwrap())
}

fn ops_from(bytes: &[u8]) -> Vec<Op> {
    let mut source = Unstructured::new(bytes);
    std::iter::from_fn(|| (!source.is_empty()).then(|| Op::arbitrary(&mut source).ok()).flatten()).take(200).collect()
}

fn setups() -> impl Strategy<Value = Setup> {
    let starts = prop_oneof![Just(0), Just(0x400), Just((1 << 20) - 256), 0..(1_u32 << 20) - 256];
    (6..=256_u16, starts, 0..=256_u16).prop_map(|(frames, first_frame, taken_slots)| Setup {
        frames,
        memory_start: PhysicalAddress::of_frame(first_frame),
        taken_slots,
    })
}

proptest! {
    #[test]
    fn typed_to_both_forms_and_back_is_the_identity(
        setup in setups(),
        bytes in proptest::collection::vec(any::<u8>(), 0..1000),
    ) {
        prop_assert_eq!(setup.check(), Ok(()));
        let trace = KernelTrace { setup, ops: ops_from(&bytes) };
        prop_assert_eq!(&KernelTrace::from_wire(&trace.to_wire()), &trace);
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn generated_traces_keep_through_both_forms(stream: u64, index in 0..1_u64 << 40) {
        let mut wire = Vec::new();
        hardened().traces().write(stream, index, &mut wire);
        let trace = KernelTrace::from_wire(&wire);
        prop_assert_eq!(trace.setup.check(), Ok(()));
        prop_assert_eq!(&trace.to_wire(), &wire, "the generator does not write the canonical form");
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn any_bytes_decode_and_their_canonical_form_stays(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let trace = KernelTrace::from_wire(&bytes);
        prop_assert!(trace.ops.len() <= bytes.len());
        prop_assert_eq!(trace.setup.check(), Ok(()));
        let canonical = trace.to_wire();
        prop_assert_eq!(&KernelTrace::from_wire(&canonical), &trace);
        prop_assert_eq!(KernelTrace::from_wire(&canonical).to_wire(), canonical);
    }
}

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    let mut words = String::new();
    for tag in 0..=255 {
        // Version 1, 64 frames from 0x400000 on, no slot taken, then the op.
        let mut wire = vec![1, 58, 0x80, 0x08, 0, tag];
        wire.extend(3..40);
        let trace = KernelTrace::from_wire(&wire);
        words.push_str(&serde_json::to_string(&trace.ops[0]).unwrap());
        words.push('\n');
    }
    assert_eq!(hash_name(&words), FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 3_234_008_186_424_778_709;
