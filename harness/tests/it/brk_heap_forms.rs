//! The three forms of a brk-heap trace: typed, wire bytes, JSON lines. Typed to either and back is the identity, any bytes
//! decode, and the tag table is frozen.

use arbitrary::{Arbitrary as _, Unstructured};
use memtwin::Target;
use memtwin::models::brk_heap::{BrkHeap, CopyOrder, Granularity, Op, Place, Placement, Refusal, Setup};
use memtwin::random::hash_name;
use memtwin::target::Dialect;
use memtwin::trace::{Header, Trace};
use proptest::prelude::*;
use std::path::Path;

type HeapTrace = Trace<BrkHeap>;

fn hardened() -> &'static dyn Target {
    let registry = memtwin::built_in();
    registry.index_of("brk_heap", "hardened").and_then(|index| registry.get(index)).unwrap()
}

fn dialect() -> &'static dyn Dialect {
    hardened().dialect()
}

fn json(trace: &HeapTrace) -> String {
    dialect().print(&trace.to_wire(), &Header::plain())
}

fn from_json(text: &str) -> HeapTrace {
    let header: Header = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    HeapTrace::from_wire(&dialect().parse(Path::new("a.jsonl"), &header, text).unwrap())
}

fn ops_from(bytes: &[u8]) -> Vec<Op> {
    let mut source = Unstructured::new(bytes);
    std::iter::from_fn(|| (!source.is_empty()).then(|| Op::arbitrary(&mut source).ok()).flatten()).take(200).collect()
}

fn places() -> impl Strategy<Value = Place> {
    prop_oneof![Just(Place::Saved), Place::REGISTERS.prop_map(Place::X)]
}

fn setups() -> impl Strategy<Value = Setup> {
    let refusal = prop_oneof![Just(Refusal::CurrentBreak), Just(Refusal::Zero), Just(Refusal::Enomem)];
    let granularity = prop_oneof![Just(Granularity::Page), Just(Granularity::SixteenPages)];
    let order = prop_oneof![Just(CopyOrder::Ascending), (0..4_u8).prop_map(|first| CopyOrder::UnrolledBy4 { first })];
    let placement =
        (places(), places(), places(), places(), places()).prop_map(|(size, mask, head, new_head, new_end)| {
            let placement = Placement { size, mask, head, new_head, new_end };
            if placement.clashes() { Placement::REPORTED } else { placement }
        });
    (16..=0x1_0000_u32, 1..=4096_u32, refusal, granularity, any::<bool>(), order, placement).prop_map(
        |(bss_bytes, frames, refusal, granularity, dirty_pages, copy_order, placement)| Setup {
            bss_bytes,
            frames,
            refusal,
            granularity,
            dirty_pages,
            copy_order,
            placement,
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
        let trace = HeapTrace { setup, ops: ops_from(&bytes) };
        prop_assert_eq!(&HeapTrace::from_wire(&trace.to_wire()), &trace);
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn generated_traces_keep_through_both_forms(stream: u64, index in 0..1_u64 << 40) {
        let mut wire = Vec::new();
        hardened().traces().write(stream, index, &mut wire);
        let trace = HeapTrace::from_wire(&wire);
        prop_assert_eq!(trace.setup.check(), Ok(()));
        prop_assert_eq!(&trace.to_wire(), &wire, "the generator does not write the canonical form");
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn any_bytes_decode_and_their_canonical_form_stays(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let trace = HeapTrace::from_wire(&bytes);
        prop_assert!(trace.ops.len() <= bytes.len());
        prop_assert_eq!(trace.setup.check(), Ok(()));
        let canonical = trace.to_wire();
        prop_assert_eq!(&HeapTrace::from_wire(&canonical), &trace);
        prop_assert_eq!(HeapTrace::from_wire(&canonical).to_wire(), canonical);
    }
}

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    let mut words = String::new();
    for tag in 0..=255 {
        // Version 1, flags, the smallest .bss, 64 frames, five places on the stack, then the op.
        let trace = HeapTrace::from_wire(&[1, 0, 0, 63, 0, 0, 0, 0, 0, tag, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        words.push_str(&serde_json::to_string(&trace.ops[0]).unwrap());
        words.push('\n');
    }
    assert_eq!(hash_name(&words), FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 2_796_113_645_566_052_397;
