//! Laws by hand: what a right kernel may answer is agreed to, what breaks a law is seen to break that one.

use super::super::super::mmu::{COPY_ON_WRITE, PRESENT, PageFault, SOFTWARE, USER, WRITABLE};
use super::super::super::{
    Cpu, Free, Hold, Mode, Op, Outcome, PageFlags, PageShown, PageSource, PhysicalAddress, Process, Seen, Segment,
    Segments, Setup, Space, TempFrame, TempMapContract, VirtualAddress, file_of,
};
use super::super::TempMapModel;
use crate::{Contract as _, Model as _, Verdict};

const CPU: Cpu = Cpu::new_folded(0);
const A: Process = Process::new_folded(0);
const B: Process = Process::new_folded(1);
const HELD: Hold = Hold::new_folded(0);
const PAGE: VirtualAddress = VirtualAddress(0x40_0000);
const WINDOW: VirtualAddress = VirtualAddress(0xe000_0000);
/// The flags of a writable user page.
const OPEN: u32 = PRESENT | WRITABLE | USER;

/// A model and the outcomes that are shown to it.
struct Bench {
    model: TempMapModel,
    seen: Outcome,
}

impl Bench {
    fn new(contract: TempMapContract) -> Self {
        let setup = Setup { frames: 16, memory_start: PhysicalAddress(0), taken_slots: 0 };
        Bench { model: TempMapModel::new(&setup, &contract), seen: Outcome::default() }
    }

    /// Shows an answer with frames that were handed out and a page's entry before and after.
    fn see(&mut self, op: &Op, result: Seen, taken: &[u32], page: Option<(u32, u32)>) -> Verdict {
        self.model.arrange(op, &mut self.seen);
        self.seen.result = result;
        self.seen.taken.extend_from_slice(taken);
        let pages = page.map(|(was, now)| PageShown { page: PAGE.0, was, now });
        self.seen.pages.extend(pages);
        if let Op::MapTemp { frame: TempFrame::At(address), .. } = op {
            self.seen.physical = Some(address.0);
        }
        if let Op::MapTemp { frame: TempFrame::Hold(_), .. } = op {
            self.seen.physical = Some(HELD_FRAME << 12);
        }
        self.model.judge(op, &self.seen)
    }

    #[track_caller]
    fn agrees(&mut self, op: &Op, result: Seen) {
        assert_eq!(self.see(op, result, &[], None), Verdict::Agree, "{op:?}");
    }

    #[track_caller]
    fn breaks(&mut self, law: &str, op: &Op, result: Seen) {
        let verdict = self.see(op, result, &[], None);
        assert!(matches!(verdict, Verdict::Diverge(divergence) if divergence.law == law), "{op:?}: {verdict:?}");
    }
}

const HELD_FRAME: u32 = 0;
const PAGE_FRAME: u32 = 3;

fn strict() -> Bench {
    Bench::new(TempMapContract::STRICT)
}

const MAP: Op = Op::MapPage { cpu: CPU, address: PAGE, source: PageSource::New, flags: PageFlags::from_bits_folded(3) };
const ENTER_A: Op = Op::Switch { cpu: CPU, space: Space::Process(A) };
const ENTER_KERNEL: Op = Op::Switch { cpu: CPU, space: Space::Kernel };
const LOAD: Op = Op::Load { cpu: CPU, mode: Mode::User, address: PAGE };
const STORE: Op = Op::Store { cpu: CPU, mode: Mode::User, address: PAGE, value: 7 };
const LOAD_WINDOW: Op = Op::Load { cpu: CPU, mode: Mode::Kernel, address: WINDOW };
const MAP_HELD: Op = Op::MapTemp { cpu: CPU, frame: TempFrame::Hold(HELD), slot: 0 };
const UNMAP: Op = Op::UnmapTemp { cpu: CPU, slot: 0 };

/// Process A in force, with a page.
fn with_page() -> Bench {
    let mut bench = strict();
    assert_eq!(bench.see(&Op::Create { process: A }, Seen::Done, &[1], None), Verdict::Agree);
    bench.agrees(&ENTER_A, Seen::Done);
    let entry = PAGE_FRAME << 12 | OPEN;
    assert_eq!(bench.see(&MAP, Seen::Done, &[2, PAGE_FRAME], Some((0, entry))), Verdict::Agree);
    bench
}

/// A frame in a variable, mapped at slot 0.
fn with_mapping(contract: TempMapContract) -> Bench {
    let mut bench = Bench::new(contract);
    let alloc = Op::AllocFrame { hold: HELD };
    assert_eq!(bench.see(&alloc, Seen::Physical(HELD_FRAME << 12), &[HELD_FRAME], None), Verdict::Agree);
    bench.agrees(&Op::AllocSlot, Seen::Slot(0));
    bench.agrees(&MAP_HELD, Seen::Address(WINDOW.0));
    bench
}

/// Process A whose page is shared with B.
fn with_shared_page() -> Bench {
    let mut bench = with_page();
    let fork = Op::Fork { cpu: CPU, parent: A, child: B };
    assert_eq!(bench.see(&fork, Seen::Done, &[4, 5], None), Verdict::Agree);
    bench
}

fn fault(address: u32, code: u32) -> Seen {
    Seen::Fault(PageFault { address, code })
}

#[test]
fn accesses_obey_the_page_map() {
    with_page().agrees(&LOAD, Seen::Word(0));
    with_page().breaks("bytes", &LOAD, Seen::Word(1));
    with_page().breaks("access", &LOAD, fault(PAGE.0, 4));
    let beyond = Op::Load { cpu: CPU, mode: Mode::User, address: VirtualAddress(PAGE.0 + 4096) };
    with_page().agrees(&beyond, fault(PAGE.0 + 4096, 4));
    with_page().breaks("access", &beyond, fault(PAGE.0 + 4096, 5));
    with_page().breaks("access", &beyond, Seen::Word(0));
}

#[test]
fn the_window_is_usable_at_once_by_the_kernel_alone_and_gone_after() {
    let mut bench = with_mapping(TempMapContract::STRICT);
    bench.agrees(&LOAD_WINDOW, Seen::Word(9));
    bench.breaks("bytes", &LOAD_WINDOW, Seen::Word(8));
    bench.agrees(&Op::Load { cpu: CPU, mode: Mode::User, address: WINDOW }, fault(WINDOW.0, 5));
    bench.agrees(&UNMAP, Seen::Done);
    bench.agrees(&LOAD_WINDOW, fault(WINDOW.0, 0));
    bench.breaks("temp", &LOAD_WINDOW, Seen::Word(9));
}

#[test]
fn a_private_window_is_not_seen_elsewhere_and_a_shared_one_is() {
    for private_window in [false, true] {
        let mut bench = with_mapping(TempMapContract { private_window, ..TempMapContract::STRICT });
        assert_eq!(bench.see(&Op::Create { process: A }, Seen::Done, &[1], None), Verdict::Agree);
        bench.agrees(&ENTER_A, Seen::Done);
        let (right, wrong) = (Seen::Word(9), fault(WINDOW.0, 0));
        let (right, wrong) = if private_window { (wrong, right) } else { (right, wrong) };
        bench.breaks("temp", &LOAD_WINDOW, wrong);
        bench.agrees(&LOAD_WINDOW, right);
    }
}

#[test]
fn slots_are_handed_out_once_and_misuse_is_refused() {
    let mut bench = with_mapping(TempMapContract::STRICT);
    bench.breaks("slot", &Op::AllocSlot, Seen::Slot(0));
    bench.breaks("slot", &Op::AllocSlot, Seen::Slot(256));
    bench.breaks("slot", &Op::AllocSlot, Seen::Failed);
    for slot in [0, 1, -1, 256, i32::MIN] {
        bench.agrees(&Op::FreeSlot { slot }, Seen::Refused);
        bench.breaks("refusal", &Op::FreeSlot { slot }, Seen::Done);
    }
    bench.breaks("refusal", &MAP_HELD, Seen::Address(WINDOW.0));
    bench.agrees(&Op::AllocSlot, Seen::Slot(1));
    for address in [1, 4, 0x200, 0x1_0000, 0xffff_f000] {
        let frame = TempFrame::At(PhysicalAddress(address));
        bench.breaks("refusal", &Op::MapTemp { cpu: CPU, frame, slot: 1 }, Seen::Address(WINDOW.0 + 4096));
    }
}

#[test]
fn a_copy_has_a_frame_of_its_own_with_the_right_flags() {
    let was = PAGE_FRAME << 12 | PRESENT | USER | COPY_ON_WRITE;
    let laws = [
        (6 << 12 | OPEN, None),
        ((6 | PAGE_FRAME) << 12 | OPEN, Some("cow")),
        (PAGE_FRAME << 12 | OPEN, Some("cow")),
        (6 << 12 | OPEN | COPY_ON_WRITE, Some("cow")),
        (6 << 12 | PRESENT | WRITABLE, Some("cow")),
    ];
    for (now, law) in laws {
        let verdict = with_shared_page().see(&STORE, Seen::Done, &[6], Some((was, now)));
        match law {
            None => assert_eq!(verdict, Verdict::Agree),
            Some(law) => assert!(matches!(verdict, Verdict::Diverge(seen) if seen.law == law), "{now:#x}: {verdict:?}"),
        }
    }
    // A frame that somebody owns is none of its own.
    let verdict = with_shared_page().see(&STORE, Seen::Done, &[PAGE_FRAME], Some((was, PAGE_FRAME << 12 | OPEN)));
    assert!(matches!(verdict, Verdict::Diverge(seen) if seen.law == "fresh"), "{verdict:?}");
}

#[test]
fn the_last_sharer_needs_nothing() {
    let mut bench = with_shared_page();
    let was = PAGE_FRAME << 12 | PRESENT | USER | COPY_ON_WRITE;
    assert_eq!(bench.see(&STORE, Seen::Done, &[6], Some((was, 6 << 12 | OPEN))), Verdict::Agree);
    bench.agrees(&Op::Switch { cpu: CPU, space: Space::Process(B) }, Seen::Done);
    bench.agrees(&LOAD, Seen::Word(0));
    bench.breaks("access", &STORE, fault(PAGE.0, 7));
    assert_eq!(bench.see(&STORE, Seen::Done, &[], Some((was, PAGE_FRAME << 12 | OPEN))), Verdict::Agree);
    bench.agrees(&LOAD, Seen::Word(7));
}

#[test]
fn system_calls_move_what_they_may() {
    let write = |address: u32, count| Op::SysWrite { cpu: CPU, address: VirtualAddress(address), count };
    let read = |address: u32, count| Op::SysRead { cpu: CPU, address: VirtualAddress(address), count, seed: 0 };
    with_page().agrees(&write(0xffff_ffff, 0), Seen::Count(0));
    for address in [0xbfff_f001, 0xffff_f000, 0xdead_beef, 0x4000_0000] {
        with_page().agrees(&write(address, 4096), Seen::Refused);
        with_page().breaks("count", &read(address, 4096), Seen::Count(4095));
    }
    with_page().agrees(&read(PAGE.0 + 4000, u32::MAX), Seen::Count(96));
    with_page().breaks("count", &read(PAGE.0 + 4000, 100), Seen::Count(100));
    with_page().breaks("count", &read(PAGE.0, 100), Seen::Count(99));
}

#[test]
fn an_op_fails_only_when_frames_are_short() {
    with_page().breaks("shortage", &Op::Create { process: B }, Seen::Failed);
    let mut bench = strict();
    // 16 frames, 4 of them the kernel's.
    for hold in 0..8 {
        let frame = u32::from(hold);
        let alloc = Op::AllocFrame { hold: Hold::new_folded(hold) };
        assert_eq!(bench.see(&alloc, Seen::Physical(frame << 12), &[frame], None), Verdict::Agree);
    }
    for process in 0..4 {
        let create = Op::Create { process: Process::new_folded(process) };
        assert_eq!(bench.see(&create, Seen::Done, &[8 + u32::from(process)], None), Verdict::Agree);
    }
    bench.agrees(&ENTER_A, Seen::Done);
    bench.agrees(&MAP, Seen::Failed);
}

#[test]
fn a_fork_may_make_a_table_where_the_parents_has_no_page_or_none() {
    for has_table in [false, true] {
        let mut bench = with_page();
        bench.agrees(&Op::UnmapPage { cpu: CPU, address: PAGE }, Seen::Done);
        let taken: &[u32] = if has_table { &[3, 4] } else { &[3] };
        assert_eq!(bench.see(&Op::Fork { cpu: CPU, parent: A, child: B }, Seen::Done, taken, None), Verdict::Agree);
        // Of 16 frames four are the kernel's, four or three the processes', and eight go to variables.
        for hold in 0..8 {
            let frame = if has_table { 5 } else { 4 } + u32::from(hold);
            let alloc = Op::AllocFrame { hold: Hold::new_folded(hold) };
            assert_eq!(bench.see(&alloc, Seen::Physical(frame << 12), &[frame], None), Verdict::Agree);
        }
        let create = Op::Create { process: Process::new_folded(2) };
        let (seen, taken): (_, &[u32]) = if has_table { (Seen::Failed, &[]) } else { (Seen::Done, &[12]) };
        assert_eq!(bench.see(&create, seen, taken, None), Verdict::Agree);
        // A page with the frame of a variable needs a table, which there is no frame for, or is there already.
        bench.agrees(&Op::Switch { cpu: CPU, space: Space::Process(B) }, Seen::Done);
        let held = PageSource::Hold(HELD);
        let map = Op::MapPage { cpu: CPU, address: PAGE, source: held, flags: PageFlags::from_bits_folded(3) };
        let (seen, entry) = if has_table { (Seen::Done, 5 << 12 | OPEN) } else { (Seen::Failed, 0) };
        assert_eq!(bench.see(&map, seen, &[], Some((0, entry))), Verdict::Agree, "{has_table}");
    }
}

#[test]
fn what_was_lost_before_is_told_as_a_leak() {
    let create = Op::Create { process: B };
    for (frames, slots, law) in [(8, 256, "leak"), (9, 255, "slot_table"), (9, 256, "shortage")] {
        let mut bench = with_page();
        bench.model.arrange(&create, &mut bench.seen);
        bench.seen.result = Seen::Failed;
        bench.seen.free = Some(Free { frames, slots });
        let verdict = bench.model.judge(&create, &bench.seen);
        assert!(matches!(verdict, Verdict::Diverge(divergence) if divergence.law == law), "{law}: {verdict:?}");
    }
}

#[test]
fn the_kernel_never_faults_and_directories_in_force_stay() {
    let mut bench = with_page();
    let oops = Seen::KernelFault(PageFault { address: WINDOW.0, code: 0 });
    bench.breaks("kernel_fault", &Op::SysWrite { cpu: CPU, address: PAGE, count: 4 }, oops);
    let destroy = Op::Destroy { cpu: CPU, process: A };
    bench.breaks("refusal", &destroy, Seen::Done);
    bench.agrees(&destroy, Seen::Refused);
    bench.agrees(&ENTER_KERNEL, Seen::Done);
    bench.agrees(&destroy, Seen::Done);
    bench.agrees(&destroy, Seen::Vacant);
}

#[test]
fn a_mapping_of_a_freed_frame_says_nothing_any_more() {
    let mut bench = with_mapping(TempMapContract::STRICT);
    bench.agrees(&LOAD_WINDOW, Seen::Word(9));
    bench.agrees(&Op::FreeFrame { hold: HELD }, Seen::Done);
    bench.agrees(&LOAD_WINDOW, Seen::Word(1));
    let store = Op::Store { cpu: CPU, mode: Mode::Kernel, address: WINDOW, value: 0 };
    assert!(matches!(bench.see(&store, Seen::Done, &[], None), Verdict::Moot(_)));
}

#[test]
fn bits_that_the_processor_leaves_to_the_kernel_are_the_kernels() {
    for (bits, agrees) in [(0, true), (SOFTWARE, true), (1 << 10, true), (1 << 7, false), (COPY_ON_WRITE, false)] {
        let mut bench = strict();
        assert_eq!(bench.see(&Op::Create { process: A }, Seen::Done, &[1], None), Verdict::Agree);
        bench.agrees(&ENTER_A, Seen::Done);
        let entry = PAGE_FRAME << 12 | OPEN | bits;
        let verdict = bench.see(&MAP, Seen::Done, &[2, PAGE_FRAME], Some((0, entry)));
        assert_eq!(verdict.is_agree(), agrees, "{bits:#x}");
    }
}

#[test]
fn a_system_call_of_no_bytes_may_say_so_in_two_ways() {
    for result in [Seen::Count(0), Seen::Refused] {
        let mut bench = with_page();
        bench.agrees(&Op::SysWrite { cpu: CPU, address: PAGE, count: 0 }, result);
        bench.agrees(&Op::SysRead { cpu: CPU, address: PAGE, count: 0, seed: 1 }, result);
    }
    with_page().breaks("count", &Op::SysWrite { cpu: CPU, address: PAGE, count: 0 }, Seen::Count(1));
}

const PROTECT: Op = Op::Protect { cpu: CPU, address: PAGE, flags: PageFlags::from_bits_folded(3) };
const PROTECT_READ_ONLY: Op = Op::Protect { cpu: CPU, address: PAGE, flags: PageFlags::from_bits_folded(2) };

#[test]
fn a_shared_frame_becomes_writable_only_through_a_copy() {
    let shared = PAGE_FRAME << 12 | PRESENT | USER;
    for (now, taken, law) in [
        (shared | COPY_ON_WRITE, &[][..], None),
        (6 << 12 | OPEN, &[6], None),
        (shared | WRITABLE, &[], Some("cow")),
        (shared, &[], Some("page_map")),
        (7 << 12 | OPEN, &[6], Some("cow")),
    ] {
        let mut bench = with_shared_page();
        let was = shared | COPY_ON_WRITE;
        assert_eq!(bench.see(&PROTECT_READ_ONLY, Seen::Done, &[], Some((was, shared))), Verdict::Agree);
        let verdict = bench.see(&PROTECT, Seen::Done, taken, Some((shared, now)));
        let broken = if let Verdict::Diverge(divergence) = verdict { Some(divergence.law) } else { None };
        assert_eq!(broken, law, "{now:#x}");
    }
    let own = PAGE_FRAME << 12 | OPEN;
    let mut bench = with_page();
    assert_eq!(bench.see(&PROTECT_READ_ONLY, Seen::Done, &[], Some((own, shared))), Verdict::Agree);
    bench.agrees(&LOAD, Seen::Word(0));
    bench.agrees(&STORE, fault(PAGE.0, 7));
    assert_eq!(bench.see(&PROTECT, Seen::Done, &[], Some((shared, own))), Verdict::Agree);
    bench.breaks(
        "refusal",
        &Op::Protect { cpu: CPU, address: WINDOW, flags: PageFlags::from_bits_folded(3) },
        Seen::Done,
    );
}

#[test]
fn a_frame_is_free_when_no_processor_has_it_any_more() {
    let mut bench = with_page();
    let unmap = Op::UnmapPage { cpu: CPU, address: PAGE };
    bench.model.arrange(&unmap, &mut bench.seen);
    (bench.seen.result, bench.seen.freed_too_early) = (Seen::Done, Some(PAGE_FRAME));
    let verdict = bench.model.judge(&unmap, &bench.seen);
    assert!(matches!(verdict, Verdict::Diverge(divergence) if divergence.law == "stale"), "{verdict:?}");
}

#[test]
fn segments_that_share_a_page_are_both_kept_in_any_order() {
    let segment = |address, writable| Segment {
        address: VirtualAddress(PAGE.0 + address),
        offset: 0,
        file_bytes: 8,
        memory_bytes: 16,
        writable,
    };
    let load = |segments: &[Segment]| Op::ElfLoad { cpu: CPU, seed: 1, length: 64, segments: Segments::of(segments) };
    for list in [[segment(0, false), segment(16, true)], [segment(16, true), segment(0, false)]] {
        for segments_stay_apart in [false, true] {
            let mut bench = Bench::new(TempMapContract { segments_stay_apart, ..TempMapContract::STRICT });
            assert_eq!(bench.see(&Op::Create { process: A }, Seen::Done, &[1], None), Verdict::Agree);
            bench.agrees(&ENTER_A, Seen::Done);
            let overlapping = load(&[segment(0, false), segment(15, true)]);
            bench.breaks("refusal", &overlapping, Seen::Done);
            bench.agrees(&overlapping, Seen::Refused);
            if segments_stay_apart {
                bench.agrees(&load(&list), Seen::Refused);
            } else {
                bench.breaks("refusal", &load(&list), Seen::Refused);
            }
            let entry = PAGE_FRAME << 12 | OPEN;
            assert_eq!(bench.see(&load(&list), Seen::Done, &[2, PAGE_FRAME], Some((0, entry))), Verdict::Agree);
            let first = file_of(1, 64).bytes().unwrap().first_chunk::<4>().copied().map(u32::from_le_bytes);
            for (offset, word) in [(0, first.unwrap()), (8, 0), (16, first.unwrap()), (24, 0), (4092, 0)] {
                let load = Op::Load { cpu: CPU, mode: Mode::User, address: VirtualAddress(PAGE.0 + offset) };
                bench.agrees(&load, Seen::Word(word));
            }
        }
    }
}
