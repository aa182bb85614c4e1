//! What the forms of heap traces mean: what was once written is read for ever.

use crate::trace_forms::{from_json, json, meaning, meaning_of_tags};
use memtwin::models::heap::{
    Alignment, AnyAlignment, Fault, Fill, FreedBy, Heap, Op, OpKind, Order, Request, SecondRegion, Setup, Size, Slot,
};
use memtwin::trace::Trace;
use memtwin::trace_files::load;
use std::path::{Path, PathBuf};

type HeapTrace = Trace<Heap>;

/// Every op kind, every low bit of a tag, every part of a setup, and extremes.
fn golden_trace() -> HeapTrace {
    let setup = Setup {
        threads: 3,
        skew_bytes: 0x1f_fff1,
        first_bytes: 1025,
        extend_bytes: 8 << 20,
        second: Some(SecondRegion { gap_bytes: 1, bytes: 1 << 20 }),
        memory_holds: Fill::Letters,
        fault: Some(Fault { request: Request::Advise, after: u16::MAX, lasts: true }),
    };
    let sizes = [0, 1, 255, 256, 511, 1024, 0x1_0001, 1 << 30, u64::MAX >> 1, 1 << 63, u64::MAX].map(Size);
    let slots = [0, 1, 127, 128, 4095].map(Slot::new_folded);
    let aligns = [0, 4, 12, 63].map(Alignment::from_exponent_folded);
    let mut ops = Vec::new();
    for slot in slots {
        ops.extend([Op::Free { slot }, Op::UsableSize { slot }, Op::Verify { slot }]);
        for (index, size) in (0_u8..).zip(sizes) {
            ops.extend([Op::Malloc { slot, size }, Op::Realloc { slot, size }, Op::Fill { slot, count: index, size }]);
            ops.extend([Op::Calloc { slot, count: size, size }, Op::Reallocarray { slot, count: Size(3), size }]);
            let align = aligns[usize::from(index) % aligns.len()];
            ops.extend([Op::AlignedAlloc { slot, align, size }, Op::Memalign { slot, align, size }]);
            ops.extend([Op::Alloc { slot, size, align }, Op::AllocZeroed { slot, size, align }]);
            ops.push(Op::Relayout { slot, size, align, zeroed: index % 2 == 0 });
        }
        for length in [0, 1, 127, 128, u32::MAX] {
            ops.push(Op::Write { slot, length });
        }
        for (length, every) in [(0, 255), (1, 1), (255, 0)] {
            ops.extend([Op::PushString { slot, length }, Op::PushVec { slot, length }]);
            ops.push(Op::Drain { slot, count: length, every });
        }
        for align in [0, 1, 2, 3, 7, 8, 24, 1 << 63, (1 << 63) - 1, u64::MAX].map(AnyAlignment) {
            ops.push(Op::PosixMemalign { slot, align, size: Size(8) });
        }
    }
    ops.extend([Order::Forward, Order::Backward, Order::Alternating].map(|order| Op::FreeAll { order }));
    ops.extend([0, 1, u32::MAX].map(|bytes| Op::Extend { bytes }));
    ops.extend(aligns.map(|align| Op::Largest { align }));
    for by in [FreedBy::Owner, FreedBy::NewThread] {
        ops.extend([0, 255].map(|count| Op::Cycle { count, size: Size(100), by }));
    }
    ops.extend([Op::FreeNull, Op::AddRegion, Op::Trim, Op::ThreadStart, Op::ThreadExit]);
    HeapTrace::new(setup, ops)
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The golden files were written once and are read for ever: a change that this test does not like breaks every trace
/// that somebody has kept. New kinds of ops come in new files.
#[test]
fn golden_files_are_read_for_ever() {
    let wire = std::fs::read(golden("heap-1.wire")).unwrap();
    let text = std::fs::read_to_string(golden("heap-1.jsonl")).unwrap();
    let from_wire = HeapTrace::from_wire(&wire);
    let from_text: HeapTrace = from_json(&text);
    assert!(from_wire == from_text, "the golden files hold different traces");
    assert!(from_wire == golden_trace(), "the golden files do not hold what they were made from");
    assert_eq!(json(&from_wire), text);
    // A trace has many wire forms: which one is written may change, what each is read as may not.
    let written = load(&memtwin::built_in(), &golden("heap-1.jsonl")).unwrap().wire;
    assert!(HeapTrace::from_wire(&written) == from_wire);
    for kind in OpKind::ALL {
        assert!(from_wire.ops().iter().any(|op| op.kind() == *kind), "no {kind:?} in the golden files");
    }
}

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    // Version 1, one thread and zeros, no skew, a region of 0x1000 bytes that is not extended, then the op.
    let meaning = meaning_of_tags::<Heap>(&[1, 0, 0, 0xff, 0x1f, 0], &(3..40).collect::<Vec<u8>>());
    assert_eq!(meaning, FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 2_855_690_466_404_823_631;

/// Each edge that sizes are written relative to, and each form of an odd alignment.
#[test]
fn the_edges_and_the_odd_alignments_are_frozen() {
    let setup = [1, 0x10, 0, 0xff, 0x1f, 0x80, 0x10, 3, 0xff, 3];
    let sizes = (0..=255).map(|edge| [&setup[..], &[0, 5, edge, 9]].concat());
    let alignments = (0..=255).map(|byte| [&setup[..], &[28, 5, byte, 17, 3, 4, 5, 6]].concat());
    let meanings = (meaning::<Heap>(sizes), meaning::<Heap>(alignments));
    assert_eq!(meanings, FROZEN_OPERANDS, "operands are read as others");
}

const FROZEN_OPERANDS: (u64, u64) = (16_405_953_405_238_076_421, 13_699_642_254_761_921_735);
