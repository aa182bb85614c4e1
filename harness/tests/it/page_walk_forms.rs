//! The three forms of a page-walk trace: typed, wire bytes, JSON lines. Typed to either and back is the identity, any bytes
//! decode, and the tag table is frozen.

use arbitrary::{Arbitrary as _, Unstructured};
use memtwin::Target;
use memtwin::models::page_walk::{MAX_FILLED, MappedSetup, Op, PageWalk, Setup, WorkBounds};
use memtwin::random::hash_name;
use memtwin::target::Dialect;
use memtwin::trace::{Header, Trace};
use proptest::prelude::*;
use std::path::Path;

type WalkTrace = Trace<PageWalk>;

fn hardened() -> &'static dyn Target {
    let registry = memtwin::built_in();
    registry.index_of("page_walk", "hardened").and_then(|index| registry.get(index)).unwrap()
}

fn dialect() -> &'static dyn Dialect {
    hardened().dialect()
}

fn json(trace: &WalkTrace) -> String {
    dialect().print(&trace.to_wire(), &Header::plain())
}

fn from_json(text: &str) -> WalkTrace {
    let header: Header = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    WalkTrace::from_wire(&dialect().parse(Path::new("a.jsonl"), &header, text).unwrap())
}

fn ops_from(bytes: &[u8]) -> Vec<Op> {
    let mut source = Unstructured::new(bytes);
    let draw = || (!source.is_empty()).then(|| Op::arbitrary(&mut source).ok()).flatten();
    let mut ops: Vec<Op> = std::iter::from_fn(draw).take(200).collect();
    for op in &mut ops {
        // A count beyond the most that one op writes means the most; wire bytes have the number that is meant.
        if let Op::FillEntries { count, .. } = op {
            *count = (*count).min(MAX_FILLED);
        }
    }
    ops
}

fn setups() -> impl Strategy<Value = Setup> {
    let mapped = (any::<u64>(), any::<u32>(), any::<bool>(), any::<bool>())
        .prop_map(|(gpa, bytes, writable, executable)| MappedSetup { gpa, bytes, writable, executable });
    let mapped = proptest::collection::vec(mapped, 0..4);
    let sizes = (any::<u32>(), any::<u8>(), 0..0x1_2000_u32, any::<u32>());
    (any::<bool>(), sizes, any::<u64>(), mapped, any::<(bool, bool)>()).prop_map(
        |(paging, (snapshot_bytes, tail_pages, scratch_bytes, buffer_bytes), table_base, mapped, (adjacent, small))| {
            let work_bounds = if small { WorkBounds::Small } else { WorkBounds::Full };
            Setup {
                paging,
                snapshot_bytes,
                tail_pages,
                scratch_bytes,
                buffer_bytes,
                table_base,
                mapped,
                adjacent,
                work_bounds,
            }
            .normalised()
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
        let trace = WalkTrace { setup, ops: ops_from(&bytes) };
        prop_assert_eq!(&WalkTrace::from_wire(&trace.to_wire()), &trace);
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn generated_traces_keep_through_both_forms(stream: u64, index in 0..1_u64 << 40) {
        let mut wire = Vec::new();
        hardened().traces().write(stream, index, &mut wire);
        let trace = WalkTrace::from_wire(&wire);
        prop_assert_eq!(trace.setup.check(), Ok(()));
        prop_assert_eq!(&trace.to_wire(), &wire, "the generator does not write the canonical form");
        prop_assert_eq!(&from_json(&json(&trace)), &trace);
    }

    #[test]
    fn any_bytes_decode_and_their_canonical_form_stays(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let trace = WalkTrace::from_wire(&bytes);
        prop_assert!(trace.ops.len() <= bytes.len());
        prop_assert_eq!(trace.setup.check(), Ok(()));
        let canonical = trace.to_wire();
        prop_assert_eq!(&WalkTrace::from_wire(&canonical), &trace);
        prop_assert_eq!(WalkTrace::from_wire(&canonical).to_wire(), canonical);
    }
}

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    let mut words = String::new();
    for tag in 0..=255 {
        // Version 1, flags, no tail and no file mapping, 16 KiB each, a buffer of 64 bytes, tables at 0x100000, then the op.
        let setup = [1, 0, 0, 0xff, 0x7f, 0xff, 0x7f, 0x40, 0x80, 0x02];
        let op = [tag, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        let trace = WalkTrace::from_wire(&[setup.as_slice(), op.as_slice()].concat());
        words.push_str(&serde_json::to_string(&trace.ops[0]).unwrap());
        words.push('\n');
    }
    assert_eq!(hash_name(&words), FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 7_809_198_658_308_621_237;
