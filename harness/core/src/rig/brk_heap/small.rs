//! The small world of the brk heap: a heap with room to grow, and one without where the kernel is as odd as it may be;
//! two slots, and sizes at the borders. It draws nothing.

use crate::rig::{Small, SmallWorld, Start};
use memtwin_models::brk_heap::{
    Alignment, BSS_START, BrkHeap, BrkRequest, CopyOrder, FIRST_EXTENT_BYTES, Granularity, GuestAddress, Op, Placement,
    Refusal, Setup, Size, Slot, StackLow, Storage,
};

impl SmallWorld for BrkHeap {
    fn small() -> Small<Self> {
        let roomy = Setup {
            bss_bytes: 0x1028,
            frames: 64,
            refusal: Refusal::CurrentBreak,
            granularity: Granularity::Page,
            dirty_pages: false,
            copy_order: CopyOrder::Ascending,
            placement: Placement::default(),
            stack_low: StackLow::default(),
        };
        let tight = Setup {
            bss_bytes: 16,
            frames: 16,
            refusal: Refusal::Enomem,
            granularity: Granularity::SixteenPages,
            dirty_pages: true,
            copy_order: CopyOrder::UnrolledBy4 { first: 2 },
            placement: Placement {
                size: Storage::X(19),
                mask: Storage::X(9),
                head: Storage::X(20),
                ..Placement::default()
            },
            stack_low: StackLow::default(),
        };
        let bytewise = Setup {
            granularity: Granularity::Byte,
            stack_low: StackLow(roomy.heap_start() + FIRST_EXTENT_BYTES + 0x2000),
            ..roomy.clone()
        };
        let start = |setup| Start { setup, opening: Vec::new() };
        Small { starts: [roomy, tight, bytewise].map(start).into(), ops: ops() }
    }
}

fn ops() -> Vec<Op> {
    let (a, b) = (Slot::new_folded(0), Slot::new_folded(1));
    let align = Alignment::from_exponent_folded;
    let alloc = |slot, size, exponent| Op::Alloc { slot, size: Size(size), align: align(exponent) };
    let zeroed = |slot, size, exponent| Op::AllocZeroed { slot, size: Size(size), align: align(exponent) };
    let realloc = |slot, size| Op::Realloc { slot, size: Size(size) };
    let raw = |request| Op::RawBrk { request };
    vec![
        alloc(a, 0, 0),
        alloc(a, 1, 0),
        alloc(b, 24, 4),
        alloc(b, 8, 12),
        alloc(b, FIRST_EXTENT_BYTES, 3),
        alloc(a, FIRST_EXTENT_BYTES + 1, 0),
        alloc(a, u64::MAX, 0),
        alloc(a, u64::MAX - 15, 6),
        alloc(b, 1, 63),
        zeroed(a, 16, 3),
        zeroed(b, FIRST_EXTENT_BYTES, 0),
        zeroed(a, 1 << 62, 0),
        realloc(a, 0),
        realloc(a, 40),
        realloc(a, 8),
        realloc(b, FIRST_EXTENT_BYTES + 8),
        realloc(b, u64::MAX),
        Op::ReallocAligned { slot: a, size: Size(40), align: align(6) },
        Op::Dealloc { slot: a },
        Op::Dealloc { slot: b },
        Op::Write { slot: a, seed: 1, length: 24 },
        Op::Write { slot: b, seed: 2, length: 0x1_0000 },
        Op::Verify { slot: a },
        Op::Verify { slot: b },
        Op::WriteEnd { slot: a, seed: 8, length: 8 },
        Op::VerifyEnd { slot: a },
        Op::PushString { slot: a, seed: 3, length: 9 },
        Op::PushString { slot: b, seed: 4, length: 0 },
        Op::PushString { slot: a, seed: 5, length: 200 },
        Op::PushVec { slot: b, seed: 6, length: 5 },
        Op::PushVec { slot: a, seed: 7, length: 1 },
        Op::VerifyRawBrk,
        Op::Fork,
        Op::Exec,
        raw(BrkRequest::Query),
        raw(BrkRequest::Grow(0)),
        raw(BrkRequest::Grow(0x1000)),
        raw(BrkRequest::Grow(u32::MAX)),
        raw(BrkRequest::GiveBack),
        raw(BrkRequest::At(GuestAddress(BSS_START))),
        raw(BrkRequest::At(GuestAddress(BSS_START + 0x4000))),
        raw(BrkRequest::At(GuestAddress(u64::MAX))),
    ]
}
