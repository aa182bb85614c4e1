//! The temp-map subjects: the report's scenario kills what it should, every short sequence of ops on the sound kernels keeps
//! every law, and a reset leaves nothing behind.

use memtwin::lockstep::{Audits, COUNTS, Ended, Journal};
use memtwin::models::temp_map::{
    Cpu, Hold, Mode, Op, Outcome, PageFlags, PageSource, PhysicalAddress, Process, Segment, Segments, Setup, Space,
    TempFrame, TempMap, VirtualAddress,
};
use memtwin::models::{Health, Subject};
use memtwin::subjects::temp_map::{Hardened, PrivateWindow};
use memtwin::trace::{Trace, load};
use memtwin::{Registry, Target};
use std::path::Path;
use std::sync::atomic::AtomicU32;

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

fn target(subject: &str) -> &'static dyn Target {
    let registry = Registry::built_in();
    registry.index_of("temp_map", subject).and_then(|index| registry.get(index)).unwrap()
}

fn run(subject: &str, wires: impl Iterator<Item = Vec<u8>>) -> u64 {
    let mut runner = target(subject).runner();
    let place = AtomicU32::new(0);
    let mut counts = [0; COUNTS];
    let mut journal = Journal { place: &place, counts: &mut counts, features: None, ops: 0 };
    for wire in wires {
        let ended = runner.run(&wire, Audits::EveryStep, &mut journal);
        let words = || target(subject).dialect().words(&wire);
        assert!(matches!(ended, Ended::Agreed | Ended::Moot { .. }), "{subject}: {ended:?} on {:#?}", words());
    }
    runner.finish(&mut journal);
    journal.ops
}

/// A small set of ops, right and wrong ones, round one page, one slot and one frame.
fn small_set() -> Vec<Op> {
    let segment = |address| Segment { address, offset: 3, file_bytes: 20, memory_bytes: 4100, writable: true };
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
        Op::UnmapPage { cpu: CPU, address: PAGE },
        Op::UnmapPageNoFree { cpu: CPU, address: PAGE, hold: Hold::new_folded(1) },
        Op::AllocFrame { hold: Hold::new_folded(2) },
        Op::FreeFrame { hold: HELD },
        Op::AllocSlot,
        Op::FreeSlot { slot: 0 },
        Op::MapTemp { cpu: CPU, frame: TempFrame::Hold(HELD), slot: 0 },
        Op::MapTemp { cpu: OTHER_CPU, frame: TempFrame::Behind(PAGE), slot: 0 },
        Op::UnmapTemp { cpu: OTHER_CPU, slot: 0 },
        Op::Load { cpu: CPU, mode: Mode::Kernel, address: WINDOW },
        Op::Store { cpu: CPU, mode: Mode::User, address: PAGE, value: 1 },
        Op::Store { cpu: OTHER_CPU, mode: Mode::User, address: PAGE, value: 2 },
        Op::SysWrite { cpu: CPU, address: VirtualAddress(PAGE.0 + 4000), count: 100 },
        Op::SysRead { cpu: CPU, address: VirtualAddress(PAGE.0 + 4000), count: 100, seed: 7 },
        Op::ElfLoad { cpu: CPU, seed: 1, length: 64, segments: Segments::of(&[segment(VirtualAddress(0x80_0ffe))]) },
    ]
}

/// Every sequence of three ops after a process with a page, a slot and a frame is there; with plenty, and with hardly any
/// frames and slots left.
#[test]
fn every_short_sequence_keeps_every_law() {
    let opening = [
        Op::AllocFrame { hold: HELD },
        Op::AllocSlot,
        Op::Create { process: A },
        Op::Switch { cpu: CPU, space: Space::Process(A) },
        Op::MapPage { cpu: CPU, address: PAGE, source: PageSource::New, flags: WRITABLE },
    ];
    let set = small_set();
    for (frames, taken_slots) in [(24, 0), (11, 253)] {
        let setup = Setup { frames, memory_start: PhysicalAddress(0), taken_slots };
        let sequences = set.iter().flat_map(|first| set.iter().flat_map(move |second| set_of(first, second)));
        let wires: Vec<_> = sequences
            .map(|ops| Trace::<TempMap> { setup: setup.clone(), ops: [&opening[..], &ops].concat() }.to_wire())
            .collect();
        for subject in ["hardened", "private_window"] {
            let ops = run(subject, wires.iter().cloned());
            assert!(7 * wires.len() as u64 <= ops, "{subject} ran {ops} ops only");
        }
    }
}

fn set_of(first: &Op, second: &Op) -> Vec<Vec<Op>> {
    small_set().into_iter().map(|third| vec![first.clone(), second.clone(), third]).collect()
}

#[test]
fn the_tests_of_the_report_pass_on_the_sound_kernels() {
    let registry = Registry::built_in();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/temp_map");
    let seeds = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let seeds = seeds.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-")));
    let wires: Vec<_> = seeds.map(|path| load(&registry, &path).unwrap().wire).collect();
    assert!(10 <= wires.len());
    for subject in ["hardened", "private_window"] {
        run(subject, wires.iter().cloned());
    }
}

#[test]
fn hardened_claims_nothing() {
    assert_eq!(target("hardened").health(), Health::Sound);
    assert_eq!(target("hardened").claimed(), Vec::<&str>::new());
    assert_eq!(target("private_window").claimed(), ["private_window"]);
}

/// What a subject shows of a trace.
fn shown<S: Subject<TempMap>>(subject: &mut S, trace: &Trace<TempMap>) -> Vec<String> {
    let mut seen = Outcome::default();
    let mut show = |op: &Op| {
        seen.pages.clear();
        seen.shown_bytes = 0;
        subject.apply(op, &mut seen);
        format!("{:?} {:?} {:?} {:?}", seen.result, seen.taken, seen.pages, seen.shown())
    };
    trace.ops.iter().map(&mut show).collect()
}

fn a_reset_is_as_good_as_new<S: Subject<TempMap>>() {
    let mut source = target(S::NAME).traces();
    let mut wire = Vec::new();
    for index in 0..300 {
        source.write(3, index, &mut wire);
        let trace = Trace::<TempMap>::from_wire(&wire);
        let mut fresh = S::new(&trace.setup).unwrap();
        let first = shown(&mut fresh, &trace);
        assert!(fresh.reset(&trace.setup));
        assert_eq!(shown(&mut fresh, &trace), first, "trace {index}");
    }
}

#[test]
fn a_reset_leaves_nothing_behind() {
    a_reset_is_as_good_as_new::<Hardened>();
    a_reset_is_as_good_as_new::<PrivateWindow>();
}
