//! The small world of heaps: an arena of a kibibyte that may grow and get a second region, one that begins at an odd
//! address and was used before, and a system that refuses; two slots, and sizes at the borders. It draws nothing.

use crate::rig::{Small, SmallWorld, Start};
use memtwin_models::heap::{
    Alignment, AnyAlignment, Fault, Fill, FreedBy, Heap, Op, Order, Request, SecondRegion, Setup, Size, Slot,
};

const A: Slot = Slot::new_folded(0);
const B: Slot = Slot::new_folded(1);
const FIRST_BYTES: u32 = 1024;
const EXTEND_BYTES: u32 = 512;

impl SmallWorld for Heap {
    /// Heaps with memory of their own see the same calls; what an arena's setup says is nothing to them.
    fn small() -> Small<Self> {
        let growing = Setup {
            extend_bytes: EXTEND_BYTES,
            second: Some(SecondRegion { gap_bytes: 64, bytes: 256 }),
            memory_holds: Fill::Freed,
            ..Setup::flat(FIRST_BYTES)
        };
        let odd = Setup { skew_bytes: 24, memory_holds: Fill::Letters, ..Setup::flat(1000) };
        let used = vec![
            Op::Malloc { slot: A, size: Size(40) },
            Op::Alloc { slot: A, size: Size(40), align: Alignment::from_exponent_folded(3) },
        ];
        let fault = Fault { request: Request::Map, after: 1, lasts: true };
        let refusing = Setup { fault: Some(fault), ..Setup::flat(4096) };
        let starts = [(growing, Vec::new()), (odd, used), (refusing, Vec::new())];
        Small { starts: starts.map(|(setup, opening)| Start { setup, opening }).into(), ops: ops() }
    }
}

fn ops() -> Vec<Op> {
    let align = Alignment::from_exponent_folded;
    let malloc = |slot, size| Op::Malloc { slot, size: Size(size) };
    let calloc = |slot, count, size| Op::Calloc { slot, count: Size(count), size: Size(size) };
    let alloc = |slot, size, exponent| Op::Alloc { slot, size: Size(size), align: align(exponent) };
    let zeroed = |slot, size, exponent| Op::AllocZeroed { slot, size: Size(size), align: align(exponent) };
    let realloc = |slot, size| Op::Realloc { slot, size: Size(size) };
    let posix = |bytes, size| Op::PosixMemalign { slot: B, align: AnyAlignment(bytes), size: Size(size) };
    let relayout =
        |slot, size, exponent, zeroed| Op::Relayout { slot, size: Size(size), align: align(exponent), zeroed };
    let first = u64::from(FIRST_BYTES);
    vec![
        malloc(A, 0),
        malloc(A, 24),
        malloc(B, 100),
        malloc(A, first / 2),
        malloc(B, first),
        malloc(A, u64::MAX >> 1),
        malloc(B, u64::MAX - 15),
        calloc(A, 3, 33),
        calloc(B, 1 << 32, 1 << 32),
        posix(8, 100),
        posix(64, 65),
        posix(24, 8),
        Op::AlignedAlloc { slot: B, align: align(6), size: Size(64) },
        Op::Memalign { slot: A, align: align(12), size: Size(1) },
        alloc(A, 24, 3),
        alloc(B, 100, 0),
        alloc(B, 64, 6),
        alloc(A, first / 2, 4),
        alloc(B, first - 64, 0),
        alloc(A, 1, 12),
        zeroed(A, 40, 3),
        zeroed(B, 1 << 62, 0),
        relayout(A, 100, 5, false),
        relayout(B, 200, 0, true),
        relayout(A, 8, 3, false),
        realloc(A, 60),
        realloc(A, 8),
        realloc(B, first),
        Op::Reallocarray { slot: A, count: Size(1 << 33), size: Size(1 << 31) },
        Op::Free { slot: A },
        Op::Free { slot: B },
        Op::FreeNull,
        Op::UsableSize { slot: A },
        Op::Write { slot: A, length: 64 },
        Op::Verify { slot: B },
        Op::PushString { slot: A, length: 41 },
        Op::PushVec { slot: B, length: 5 },
        Op::Fill { slot: A, count: 4, size: Size(48) },
        Op::Drain { slot: A, count: 4, every: 2 },
        Op::FreeAll { order: Order::Alternating },
        Op::Extend { bytes: EXTEND_BYTES },
        Op::Extend { bytes: 1 },
        Op::AddRegion,
        Op::Largest { align: align(4) },
        Op::Trim,
        Op::Cycle { count: 2, size: Size(100), by: FreedBy::Owner },
        Op::ThreadStart,
        Op::ThreadExit,
    ]
}
