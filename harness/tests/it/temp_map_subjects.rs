//! The temp-map subjects: the report's tests pass on the sound kernels, and a reset leaves nothing behind. That every
//! short trace agrees is for `tests/exhaustive.rs`.

use memtwin::Target;
use memtwin::lockstep::{Audits, COUNTS, Ended, Journal};
use memtwin::models::temp_map::{Op, Outcome, TempMap};
use memtwin::models::{Health, Subject};
use memtwin::subjects::temp_map::{Hardened, PrivateWindow};
use memtwin::trace::Trace;
use memtwin::trace_files::load;
use std::path::Path;
use std::sync::atomic::AtomicU32;

fn target(subject: &str) -> &'static dyn Target {
    let registry = memtwin::built_in();
    registry.index_of("temp_map", subject).and_then(|index| registry.get(index)).unwrap()
}

fn run(subject: &str, wires: impl Iterator<Item = Vec<u8>>) -> u64 {
    let mut runner = target(subject).runner();
    let step = AtomicU32::new(0);
    let mut counts = [0; COUNTS];
    let mut journal = Journal { step: &step, counts: &mut counts, features: None, ops: 0 };
    for wire in wires {
        let ended = runner.run(&wire, Audits::EveryStep, &mut journal);
        let words = || target(subject).dialect().words(&wire, 0..usize::MAX);
        assert!(matches!(ended, Ended::Agreed | Ended::Moot { .. }), "{subject}: {ended:?} on {:#?}", words());
    }
    runner.finish(&mut journal);
    journal.ops
}

#[test]
fn the_tests_of_the_report_pass_on_the_sound_kernels() {
    let registry = memtwin::built_in();
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
    trace.ops().iter().map(&mut show).collect()
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
