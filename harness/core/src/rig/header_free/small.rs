//! The small world of header_free: the allocator preloaded, and linked where everything about it is at its least; three
//! slots, blocks of each kind, and pointers near them. It draws nothing.

use crate::rig::{Small, SmallWorld, Start};
use memtwin_models::header_free::{
    Alignment, FaultPlan, HeaderFree, Kind, MincorePlan, Mode, Op, Protection, Setup, Side, Slot, Thread,
};

impl SmallWorld for HeaderFree {
    fn small() -> Small<Self> {
        let preloaded = Setup { registry_log2: 2, ..Setup::PRELOADED };
        let linked = Setup {
            mode: Mode::Direct1,
            superslab_log2: 20,
            registry_log2: 1,
            tiny_header: true,
            mincore: MincorePlan::SometimesAgain,
            munmap: FaultPlan::Sometimes,
            madvise: FaultPlan::Always,
            two_arenas: true,
            ..preloaded.clone()
        };
        let start = |setup| Start { setup, opening: Vec::new() };
        Small { starts: [preloaded, linked].map(start).into(), ops: ops() }
    }
}

fn ops() -> Vec<Op> {
    let [a, b, c] = [0, 1, 2].map(Slot::new_folded);
    let align = Alignment::from_exponent_folded;
    let alloc = |slot, kind, size, exponent| Op::Alloc { slot, kind, size, align: align(exponent) };
    let free = |slot, delta, thread| Op::Free { slot, delta, thread: Thread::new_folded(thread) };
    let protect = |protection| Op::ProtectNeighbour { slot: b, side: Side::Before, protection };
    vec![
        alloc(a, Kind::Tiny, 8, 0),
        alloc(b, Kind::Tiny, 1024, 0),
        alloc(c, Kind::Tiny, 16, 4),
        alloc(a, Kind::Mid, 2000, 0),
        alloc(a, Kind::L25, 0x9000, 12),
        alloc(b, Kind::Mmap, 64, 0),
        alloc(b, Kind::BigCache, 2000, 0),
        alloc(a, Kind::Malloc, 64, 0),
        alloc(a, Kind::Tiny, u64::MAX, 0),
        alloc(b, Kind::Malloc, 1, 13),
        Op::Realloc { slot: a, size: 24, delta: 0 },
        Op::Realloc { slot: b, size: 0x3000, delta: 0 },
        Op::Realloc { slot: a, size: u64::MAX, delta: 0 },
        Op::UsableSize { slot: a, delta: 0 },
        Op::UsableSize { slot: b, delta: 0 },
        Op::UsableSize { slot: a, delta: 8 },
        Op::Realloc { slot: b, size: 24, delta: 16 },
        Op::BootAlloc { slot: a, size: 24 },
        Op::ThreadExit { thread: Thread::new_folded(1) },
        Op::WriteEnd { slot: b, seed: 3, length: 8 },
        Op::Write { slot: a, seed: 1, length: 64 },
        Op::Write { slot: b, seed: 2, length: 0x1_0000 },
        Op::Verify { slot: a },
        Op::Verify { slot: b },
        free(a, 0, 0),
        free(b, 0, 1),
        free(b, 0, 2),
        free(a, 1, 0),
        free(b, 32_u64.wrapping_neg(), 1),
        free(c, 0, 2),
        free(a, 1 << 63, 0),
        Op::LibcAlloc { slot: a, size: 64, align: align(12) },
        Op::LibcAlloc { slot: b, size: 24, align: align(4) },
        Op::MapForeign { slot: c, beside: a },
        Op::MapForeign { slot: c, beside: b },
        protect(Protection::None),
        protect(Protection::Read),
        Op::UnmapNeighbour { slot: a, side: Side::Before },
        Op::Forge { slot: b, offset: 0, method: Kind::Malloc },
        Op::Forge { slot: c, offset: 4064, method: Kind::Mmap },
        Op::RetireSuperslab { slot: a },
        Op::RetireSuperslab { slot: b },
        Op::Stats,
    ]
}
