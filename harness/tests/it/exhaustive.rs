//! The exhaustive engine: every short trace over a small world agrees on every sound subject, the worlds are worth it,
//! and what a Broken subject does in them is found, shrunk and filed.

use memtwin::models::brk_heap::BrkHeap;
use memtwin::models::guest_memory::GuestMemory;
use memtwin::models::header_free::HeaderFree;
use memtwin::models::heap::Heap;
use memtwin::models::page_walk::PageWalk;
use memtwin::models::temp_map::TempMap;
use memtwin::rig::Rig;
use memtwin::trace::Trace;
use memtwin::trace_files::load;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

fn exhaustive(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtwin"));
    command.arg("exhaustive").args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn every_trace_of_two_ops_agrees_on_every_sound_subject() {
    let folder = tempfile::tempdir().unwrap();
    let output = exhaustive(folder.path(), &["--depth", "2"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let registry = memtwin::built_in();
    let mut sum = 0;
    for target in registry.targets().filter(|target| target.is_sound()) {
        let traces = target.small_traces(2).count().unwrap();
        let line = text.lines().find(|line| line.contains(&format!("✓ {} ", target.name()))).unwrap();
        assert!(line.contains(&format!(" {traces} traces, ")), "{line}");
        sum += traces;
    }
    assert!(text.ends_with(&format!("all sound subjects agree: {sum} traces of at most 2 ops\n")), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was found, so nothing is filed");
}

/// Each op and each start is valid and as its wire form says, and no kind of op is missing. At three ops a component
/// has about a hundred thousand traces: more would take too long, fewer would waste the time that there is.
fn world_is_worth_it<C: Rig>() {
    let small = C::small();
    let kinds: BTreeSet<_> = small.ops.iter().map(C::op_kind).collect();
    let missing: Vec<_> = (0..C::OP_KINDS.len()).filter(|kind| !kinds.contains(kind)).collect();
    assert!(missing.is_empty(), "{} has no ops of the kinds {missing:?}", C::NAME);
    for start in &small.starts {
        assert_eq!(C::check_setup(&start.setup), Ok(()));
        let trace = Trace::<C>::new(start.setup.clone(), [&start.opening[..], &small.ops].concat());
        assert_eq!(Trace::<C>::from_wire(&trace.to_wire()), trace);
    }
    for (index, op) in small.ops.iter().enumerate() {
        assert!(!small.ops[..index].contains(op), "{op:?} is there twice");
    }
    let registry = memtwin::built_in();
    let targets = registry.targets().filter(|target| target.dialect().name() == C::NAME);
    let count = targets.filter_map(|target| target.small_traces(3).count()).max().unwrap();
    assert!((90_000..250_000).contains(&count), "{} has {count} traces of three ops", C::NAME);
}

#[test]
fn the_small_worlds_are_worth_it() {
    world_is_worth_it::<GuestMemory>();
    world_is_worth_it::<BrkHeap>();
    world_is_worth_it::<HeaderFree>();
    world_is_worth_it::<Heap>();
    world_is_worth_it::<PageWalk>();
    world_is_worth_it::<TempMap>();
}

#[test]
fn a_defect_is_found_shrunk_and_filed() {
    let folder = tempfile::tempdir().unwrap();
    let output = exhaustive(folder.path(), &["guest_memory/GM-01", "--depth", "1", "--out", "found"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 of 1 known defects show"), "{text}");
    let path = folder.path().join("found/guest_memory/GM-01-segfault-read_bulk.jsonl");
    let loaded = load(&memtwin::built_in(), &path).unwrap();
    assert_eq!(loaded.header.expect.as_deref(), Some("guest_memory/segfault/read_bulk"));
    assert_eq!(loaded.dialect.op_count(&loaded.wire), 1);
}

#[test]
fn a_depth_beyond_counting_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, about) in
        [(["--depth", "16"], "smaller depth"), (["--depth", "17"], "17"), (["nobody", "--depth=1"], "nobody")]
    {
        let output = exhaustive(folder.path(), &arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(about), "{errors}");
    }
}
