//! The small world of page walks: three layouts, and the operands at which something changes. It draws nothing.

use crate::rig::{Small, SmallWorld, Start};
use memtwin_models::page_walk::{Backing, File, MappedSetup, MappingKind, Op, PageWalk, Prefix, Setup, Slot};

const TABLES: u64 = 0x10_0000;
const SCRATCH: u64 = (1 << 36) - 0x1000;
const LAST_PAGE: u64 = 0xffff_ffff_ffff_f000;

impl SmallWorld for PageWalk {
    fn small() -> Small<Self> {
        let start = |setup| Start { setup, opening: Vec::new() };
        Small { starts: setups().map(start).into(), ops: ops() }
    }
}

/// A snapshot that ends within a page and has a tail, a scratch without room for it, and two file mappings: one right
/// behind for guest and host, one that ends within a page.
fn setups() -> [Setup; 3] {
    let mapped = |gpa, bytes| MappedSetup { gpa, bytes, writable: true, executable: false };
    let odd = Setup {
        snapshot_bytes: 0x1800,
        scratch_bytes: 0x1000,
        buffer_bytes: 0x40,
        mapped: vec![mapped(0x3000, 0x1000), mapped(0x4000, 0xfff)],
        ..Setup::plain()
    };
    let adjacent = Setup { snapshot_bytes: 0x2000, adjacent: true, ..odd.clone() };
    let tiny = Setup { scratch_bytes: 0x1f, buffer_bytes: 0x10, tail_pages: 1, paging: false, ..odd.clone() };
    [odd, adjacent, tiny]
}

fn ops() -> Vec<Op> {
    let basic = MappingKind::Basic { r: true, w: true, x: false };
    let cow = MappingKind::Cow { r: true, x: false };
    let map = |phys, virt, length, kind| Op::Map { phys, virt, length, kind };
    let word = |address, value| Op::GuestWord { address, value };
    vec![
        map(0x2000, 0, 0x2000, basic),
        map(0x3000, 0x1000, 0x2000, cow),
        map(0x1200, 0, 0x1000, basic),
        map(SCRATCH, LAST_PAGE, 0x1000, basic),
        map(0, 0, 0x1000, MappingKind::Unmapped),
        Op::AllocTable,
        Op::SetRoot { root: TABLES | 0xfff },
        Op::SetRoot { root: u64::MAX },
        Op::ReadEntry { address: TABLES - 8 },
        Op::WriteEntry { address: TABLES, value: TABLES | 3 },
        Op::WriteEntry { address: TABLES + 0x2000, value: 0x83 },
        Op::WriteEntry { address: TABLES + 0x3000, value: 0x1601 },
        Op::FillEntries { address: TABLES, count: 4, value: TABLES | 3 },
        Op::Walk { address: 0, length: 0x3000 },
        Op::Walk { address: LAST_PAGE, length: 0x1000 },
        Op::Walk { address: 1 << 47, length: 1 },
        Op::Walk { address: 7, length: u64::MAX },
        Op::Read { address: 0xfff, length: 2 },
        Op::Read { address: LAST_PAGE, length: 0x1000 },
        Op::Read { address: 0, length: 1 << 40 },
        Op::Read { address: 0x2fff, length: 0x2000 },
        Op::Regions,
        Op::GuestWrite { address: 0x3ff8, seed: 1, length: 0x10 },
        word(SCRATCH, u64::MAX),
        word(SCRATCH, 0x10),
        word(SCRATCH + 8, 0),
        word(SCRATCH + 0x40, u64::MAX),
        Op::SharedRead { backing: Backing::Snapshot, offset: u64::MAX, length: 2 },
        Op::SharedRead { backing: Backing::Mapped(1), offset: 0, length: 0xfff },
        Op::Push { seed: 0, length: 0, prefix: Prefix::None },
        Op::Push { seed: 0, length: 8, prefix: Prefix::Right },
        Op::Push { seed: 0, length: 3, prefix: Prefix::Number(u32::MAX) },
        Op::Pop,
        Op::PopPrefixed,
        Op::Clear,
        Op::Snapshot { slot: Slot::new_folded(0) },
        Op::Restore { slot: Slot::new_folded(0) },
        Op::Build,
        Op::AddFileMapping { address: 0, length: u64::MAX },
        Op::Translate { address: 0x1fff },
        Op::ReadAsUser { address: 0xfff, length: 2 },
        Op::MapFile { file: File::new_folded(0) },
        Op::UnmapFile { file: File::new_folded(0) },
    ]
}
