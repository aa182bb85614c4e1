//! The small world of temporary mappings: ops round one page, one slot and one frame, right and wrong ones. It draws
//! nothing.

use crate::rig::{Small, SmallWorld, Start};
use memtwin_models::temp_map::{
    Cpu, Hold, Mode, Op, PageFlags, PageSource, PhysicalAddress, Process, Segment, Segments, Setup, Space, TempFrame,
    TempMap, VirtualAddress,
};

const CPU: Cpu = Cpu::new_folded(0);
const OTHER_CPU: Cpu = Cpu::new_folded(1);
const A: Process = Process::new_folded(0);
const B: Process = Process::new_folded(1);
const HELD: Hold = Hold::new_folded(0);
const PAGE: VirtualAddress = VirtualAddress(0x40_0000);
const NEXT_PAGE: VirtualAddress = VirtualAddress(0x40_1000);
const WINDOW: VirtualAddress = VirtualAddress(0xe000_0000);
const WRITABLE: PageFlags = PageFlags::from_bits_folded(0b11);
const READ_ONLY: PageFlags = PageFlags::from_bits_folded(0b10);

impl SmallWorld for TempMap {
    /// A process with a page, a slot and a frame; with plenty, and with hardly any frames and slots left.
    fn small() -> Small<Self> {
        let opening = vec![
            Op::AllocFrame { hold: HELD },
            Op::AllocSlot,
            Op::Create { process: A },
            Op::Switch { cpu: CPU, space: Space::Process(A) },
            Op::MapPage { cpu: CPU, address: PAGE, source: PageSource::New, flags: WRITABLE },
        ];
        let start = |(frames, taken_slots)| Start {
            setup: Setup { frames, memory_start: PhysicalAddress(0), taken_slots },
            opening: opening.clone(),
        };
        Small { starts: [(24, 0), (11, 253)].map(start).into(), ops: ops() }
    }
}

fn ops() -> Vec<Op> {
    let segment = |address| Segment { address, offset: 3, file_bytes: 20, memory_bytes: 4100, writable: true };
    let over_the_border = VirtualAddress(PAGE.0 + 4000);
    vec![
        Op::Create { process: B },
        Op::Fork { cpu: CPU, parent: A, child: B },
        Op::Destroy { cpu: CPU, process: A },
        Op::Destroy { cpu: CPU, process: B },
        Op::Switch { cpu: CPU, space: Space::Kernel },
        Op::Switch { cpu: CPU, space: Space::Process(A) },
        Op::Switch { cpu: CPU, space: Space::Process(B) },
        Op::Switch { cpu: OTHER_CPU, space: Space::Process(A) },
        Op::MapPage { cpu: CPU, address: NEXT_PAGE, source: PageSource::New, flags: WRITABLE },
        Op::MapPage { cpu: CPU, address: NEXT_PAGE, source: PageSource::Hold(HELD), flags: READ_ONLY },
        Op::MapPage { cpu: CPU, address: PAGE, source: PageSource::New, flags: READ_ONLY },
        Op::UnmapPage { cpu: CPU, address: PAGE },
        Op::Protect { cpu: CPU, address: PAGE, flags: READ_ONLY },
        Op::Protect { cpu: OTHER_CPU, address: PAGE, flags: WRITABLE },
        Op::UnmapPage { cpu: OTHER_CPU, address: PAGE },
        Op::UnmapPageNoFree { cpu: CPU, address: PAGE, hold: Hold::new_folded(1) },
        Op::GetPhysAddr { cpu: CPU, address: PAGE },
        Op::GetPhysAddr { cpu: CPU, address: NEXT_PAGE },
        Op::AllocFrame { hold: Hold::new_folded(2) },
        Op::FreeFrame { hold: HELD },
        Op::AllocSlot,
        Op::FreeSlot { slot: 0 },
        Op::FreeSlot { slot: -1 },
        Op::MapTemp { cpu: CPU, frame: TempFrame::Hold(HELD), slot: 0 },
        Op::MapTemp { cpu: OTHER_CPU, frame: TempFrame::Behind(PAGE), slot: 0 },
        Op::MapTemp { cpu: CPU, frame: TempFrame::Hold(HELD), slot: 256 },
        Op::UnmapTemp { cpu: CPU, slot: 0 },
        Op::UnmapTemp { cpu: OTHER_CPU, slot: 0 },
        Op::Load { cpu: CPU, mode: Mode::Kernel, address: WINDOW },
        Op::Load { cpu: CPU, mode: Mode::User, address: PAGE },
        Op::Store { cpu: CPU, mode: Mode::Kernel, address: WINDOW, value: 3 },
        Op::Store { cpu: CPU, mode: Mode::User, address: PAGE, value: 1 },
        Op::Store { cpu: OTHER_CPU, mode: Mode::User, address: PAGE, value: 2 },
        Op::SysWrite { cpu: CPU, address: over_the_border, count: 100 },
        Op::SysRead { cpu: CPU, address: over_the_border, count: 100, seed: 7 },
        Op::SysRead { cpu: CPU, address: PAGE, count: 8, seed: 9 },
        Op::ElfLoad { cpu: CPU, seed: 1, length: 64, segments: Segments::of(&[segment(VirtualAddress(0x80_0ffe))]) },
        Op::ElfLoad { cpu: CPU, seed: 1, length: 8, segments: Segments::of(&[segment(PAGE)]) },
    ]
}
