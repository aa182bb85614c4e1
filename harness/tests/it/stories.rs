//! Stories: what a person reads of a finding is held word for word, and each committed finding has a story that is
//! small, whole and drawn. `UPDATE_EXPECT=1 cargo test --test stories` writes the texts anew; read them before you keep
//! them.

use expect_test::{ExpectFile, expect_file};
use memtwin::engines::TraceSource as _;
use memtwin::engines::random::Generated;
use memtwin::explain::MOST_STORY_BYTES;
use memtwin::explain::story::{Came, End, Story};
use memtwin::models::picture::{MOST_ITEMS, Panel, Picture};
use memtwin::models::{Depth, Model as _, Subject, Verdict};
use memtwin::rig::Rig;
use memtwin::trace::Trace;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MEMTWIN: &str = env!("CARGO_BIN_EXE_memtwin");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn explain(arguments: &[&str]) -> Output {
    let mut command = Command::new(MEMTWIN);
    command.arg0("memtwin");
    command.arg("explain").args(arguments).current_dir(root()).stdin(Stdio::null()).output().unwrap()
}

fn story(trace: &str) -> Story {
    let output = explain(&[trace, "--json"]);
    assert!(output.status.success(), "{trace}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.len() <= MOST_STORY_BYTES + 1, "{trace}: {} bytes", output.stdout.len());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The text without what a build decides: frames, and the numbers of lines of code.
fn text(trace: &str) -> String {
    let output = explain(&[trace]);
    assert!(output.status.success(), "{trace}: {}", String::from_utf8_lossy(&output.stderr));
    let mut text = String::new();
    let mut is_frame = false;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        is_frame = line.starts_with("  frames ") || is_frame && line.starts_with("           ");
        if !is_frame {
            let end = line.find(".rs:").map_or(line.len(), |position| position + ".rs".len());
            text.push_str(&line[..end]);
            text.push('\n');
        }
    }
    text
}

fn told(trace: &str, expected: &ExpectFile) {
    expected.assert_eq(&text(trace));
}

#[test]
fn guest_memory_stories() {
    told("crashes/guest_memory/GM-01.jsonl", &expect_file!["../stories/guest_memory_fault.txt"]);
    told("crashes/guest_memory/GM-04.jsonl", &expect_file!["../stories/guest_memory_panic.txt"]);
    told("crashes/guest_memory/GM-06.jsonl", &expect_file!["../stories/guest_memory_reservation.txt"]);
    told("crashes/guest_memory/GM-12.jsonl", &expect_file!["../stories/guest_memory_bytes.txt"]);
}

#[test]
fn brk_heap_stories() {
    told("crashes/brk_heap/original.jsonl", &expect_file!["../stories/brk_heap_fault.txt"]);
    told("crashes/brk_heap/BH-12.jsonl", &expect_file!["../stories/brk_heap_overlap.txt"]);
    told("crashes/brk_heap/BH-03.jsonl", &expect_file!["../stories/brk_heap_audit.txt"]);
}

#[test]
fn header_free_stories() {
    told("crashes/header_free/HF-05.jsonl", &expect_file!["../stories/header_free_fault.txt"]);
    told("crashes/header_free/HF-03.jsonl", &expect_file!["../stories/header_free_route.txt"]);
    told("crashes/header_free/HF-04.jsonl", &expect_file!["../stories/header_free_audit.txt"]);
}

#[test]
fn heap_stories() {
    told("crashes/heap/HP-02.jsonl", &expect_file!["../stories/heap_fault.txt"]);
    told("crashes/heap/HP-04.jsonl", &expect_file!["../stories/heap_over_read.txt"]);
    told("crashes/heap/HP-05.jsonl", &expect_file!["../stories/heap_overlap.txt"]);
    told("crashes/heap/HP-07.jsonl", &expect_file!["../stories/heap_usable.txt"]);
    told("crashes/heap/HP-17.jsonl", &expect_file!["../stories/heap_refused.txt"]);
}

#[test]
fn page_walk_stories() {
    told("crashes/page_walk/PW-01.jsonl", &expect_file!["../stories/page_walk_fault.txt"]);
    told("crashes/page_walk/PW-13.jsonl", &expect_file!["../stories/page_walk_access.txt"]);
    told("crashes/page_walk/PW-14.jsonl", &expect_file!["../stories/page_walk_audit.txt"]);
}

#[test]
fn temp_map_stories() {
    // No defect of this component kills the process: its faults are those of the simulated machine.
    told("crashes/temp_map/TM-01.jsonl", &expect_file!["../stories/temp_map_kernel_fault.txt"]);
    told("crashes/temp_map/TM-04.jsonl", &expect_file!["../stories/temp_map_mixed_frame.txt"]);
    told("crashes/temp_map/TM-17.jsonl", &expect_file!["../stories/temp_map_bytes.txt"]);
}

#[test]
fn runs_without_a_finding_have_stories() {
    told("harness/tests/stories/moot.jsonl", &expect_file!["../stories/moot.txt"]);
    told("harness/tests/stories/unsupported.jsonl", &expect_file!["../stories/unsupported.txt"]);
    let output = explain(&["crashes/guest_memory/GM-06.jsonl", "--subject", "soft_mmu"]);
    expect_file!["../stories/agreed.txt"].assert_eq(&String::from_utf8(output.stdout).unwrap());
}

/// Panels are few and bounded, spans ascend and do not overlap, rows have as many cells as there are columns.
fn check_picture(trace: &str, picture: &Picture) -> Vec<String> {
    let mut titles = Vec::new();
    for panel in &picture.panels {
        match panel {
            Panel::Map { title, spans, marks } => {
                titles.push(title.clone());
                assert!(spans.len() <= MOST_ITEMS && marks.len() <= MOST_ITEMS, "{trace}: {title}");
                assert!(spans.windows(2).all(|pair| pair[0].last < pair[1].start), "{trace}: {title}: {spans:?}");
                assert!(spans.iter().all(|span| span.start <= span.last), "{trace}: {title}: {spans:?}");
            }
            Panel::Table { title, columns, rows } => {
                titles.push(title.clone());
                assert!(rows.len() <= MOST_ITEMS, "{trace}: {title}");
                assert!(rows.iter().all(|row| row.cells.len() == columns.len()), "{trace}: {title}: {rows:?}");
            }
        }
    }
    titles
}

#[test]
fn every_committed_finding_has_a_small_and_whole_story() {
    let crashes = root().join("crashes");
    let traces = memtwin::trace_files::find_traces(&crashes).unwrap();
    assert!(100 < traces.len());
    for path in traces {
        let header: serde_json::Value =
            serde_json::from_str(std::fs::read_to_string(&path).unwrap().lines().next().unwrap()).unwrap();
        let trace = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let story = story(trace);
        assert_eq!(story.signature.as_deref(), header["expect"].as_str(), "{trace}");
        assert_eq!(story.trace, trace);
        assert!(!story.setup.is_empty() && story.shows.is_some() && story.defect.is_some(), "{trace}");
        let mut pictures: Vec<&Picture> = story.steps.iter().map(|step| step.picture.as_ref().unwrap()).collect();
        let came = story.steps.last().map(|step| step.came);
        match &story.end {
            End::Diverged { place, seen, sentence, picture, .. } => {
                assert!(!seen.is_empty() && !sentence.is_empty(), "{trace}");
                assert_eq!(picture.is_some(), place.contains("audit"), "{trace}");
                assert_eq!(came == Some(Came::Diverged), picture.is_none(), "{trace}");
                pictures.extend(picture.as_ref());
            }
            End::Died { place, .. } => {
                assert_eq!(came == Some(Came::Died), place.starts_with("at op"), "{trace}");
            }
            End::Agreed | End::Moot { .. } | End::Unsupported { .. } => panic!("{trace} shows nothing"),
        }
        let titles: Vec<Vec<String>> = pictures.iter().map(|picture| check_picture(trace, picture)).collect();
        assert!(titles.windows(2).all(|pair| pair[0] == pair[1]), "{trace}: {titles:?}");
    }
}

#[test]
fn a_divergence_in_bytes_shows_them() {
    let End::Diverged { bytes: Some(bytes), .. } = story("crashes/guest_memory/GM-14.jsonl").end else {
        panic!("bytes differ")
    };
    assert_eq!((bytes.start.as_str(), bytes.first), ("0xffd", 3));
    assert_eq!((bytes.allowed.as_str(), bytes.seen.as_str()), ("8877665544332211", "8877660000000000"));
}

#[test]
fn of_a_long_trace_the_last_ops_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.jsonl");
    let header = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10000"},"subject":"GM-01"}"#;
    let mut trace = format!("{header}\n");
    for address in 0..1000 {
        trace += &format!("{{\"op\":\"read\",\"owner\":0,\"address\":\"{address:#x}\",\"size\":1}}\n");
    }
    trace += "{\"op\":\"read_bulk\",\"owner\":0,\"address\":\"0x1000\",\"length\":16}\n";
    trace += "{\"op\":\"memory_size\",\"owner\":0}\n";
    std::fs::write(&path, trace).unwrap();
    let story = story(path.to_str().unwrap());
    assert_eq!((story.earlier + story.steps.len(), story.later), (1001, 1));
    assert!((2..=48).contains(&story.steps.len()), "{} steps", story.steps.len());
    let last = story.steps.last().unwrap();
    assert_eq!((last.came, last.seen.as_ref()), (Came::Died, None));
    assert!(last.op.starts_with("read_bulk") && last.picture.is_some());
    assert_eq!(story.signature.as_deref(), Some("guest_memory/segfault/read_bulk"));
}

/// Draws every state of random traces on a sound subject, and holds the bytes that it shows against those that the
/// model allows. Returns how many bytes that were.
fn drawn<C: Rig, S: Subject<C>>() -> usize {
    let mut traces = Generated::<C>::new(&S::CONTRACT);
    let (mut wire, mut bytes) = (Vec::new(), 0);
    for index in 0..64 {
        traces.write(1, index, &mut wire);
        let trace = Trace::<C>::from_wire(&wire);
        let name = format!("{} trace {index}", S::NAME);
        let mut model = C::Model::new(&trace.setup, &S::CONTRACT);
        let Ok(mut subject) = S::new(&trace.setup) else { continue };
        let (mut seen, mut view) = (C::Outcome::default(), C::View::default());
        let titles = check_picture(&name, &model.picture(None));
        assert!(2 <= titles.len());
        for op in trace.ops().iter().take(100) {
            assert_eq!(check_picture(&name, &model.picture(Some(op))), titles, "{name}: {op:?}");
            model.arrange(op, &mut seen);
            subject.apply(op, &mut seen);
            if let Some(rows) = model.byte_rows(op, &seen) {
                assert_eq!(rows.allowed, rows.seen, "{name}: {op:?}");
                bytes += rows.seen.len();
            }
            let Verdict::Agree = model.judge(op, &seen) else { break };
            model.survey(Depth::Full, &mut view);
            subject.view(&mut view);
            assert_eq!(model.state_rows(&view), None, "{name}: {op:?}");
        }
    }
    bytes
}

#[test]
fn every_state_can_be_drawn_and_right_bytes_do_not_differ() {
    use memtwin::models::{brk_heap, guest_memory, header_free, heap, page_walk, temp_map};
    use memtwin::subjects as of;
    use memtwin::subjects::heap::{FreeList, deviation::Sound};
    let bytes = [
        drawn::<guest_memory::GuestMemory, of::guest_memory::SoftMmuSubject>(),
        drawn::<brk_heap::BrkHeap, of::brk_heap::Hardened>(),
        drawn::<header_free::HeaderFree, of::header_free::Hardened>(),
        drawn::<heap::Heap, memtwin::heap::Program<memtwin::heap::Arena<FreeList<Sound>>>>(),
        drawn::<page_walk::PageWalk, of::page_walk::Hardened>(),
        drawn::<temp_map::TempMap, of::temp_map::Hardened>(),
    ];
    assert!(bytes.iter().all(|bytes| 100 < *bytes), "{bytes:?}");
}

#[test]
fn the_answers_of_exports_are_those_of_sound_memory() {
    use memtwin::models::guest_memory::model::{Answer, GuestMemoryModel};
    use memtwin::models::guest_memory::{GuestMemory, Op, Outcome, Seen};
    use memtwin::subjects::guest_memory::SoftMmuSubject;
    let contract = &<SoftMmuSubject as Subject<GuestMemory>>::CONTRACT;
    let mut traces = Generated::<GuestMemory>::new(contract);
    let (mut wire, mut seen, mut compared) = (Vec::new(), Outcome::default(), 0);
    for index in 0..64 {
        traces.write(2, index, &mut wire);
        let mut trace = Trace::<GuestMemory>::from_wire(&wire);
        trace.setup.devices.clear();
        let mut model = GuestMemoryModel::new(&trace.setup, contract);
        let Ok(mut subject) = SoftMmuSubject::new(&trace.setup) else { continue };
        for op in trace.ops() {
            model.arrange(op, &mut seen);
            subject.apply(op, &mut seen);
            let Some(answer) = model.follow(op) else { continue };
            compared += 1;
            let is_right = match (&answer, seen.result) {
                (Answer::Value(value), Seen::Value(shown)) => *value == shown,
                (Answer::Stored(stored), Seen::Stored(shown)) => *stored == shown,
                (Answer::Exchanged { before, stored }, Seen::Exchanged { before: shown, stored: has_stored }) => {
                    (*before, *stored) == (shown, has_stored)
                }
                (Answer::Refused, Seen::Error(_)) | (Answer::Done, Seen::Done) => true,
                (Answer::Bytes(_, bytes), Seen::Done) if matches!(op, Op::Dump { .. }) => *bytes == seen.dump,
                (Answer::Bytes(_, bytes), Seen::Done) => seen.buffer_bytes().starts_with(bytes),
                _ => false,
            };
            assert!(is_right, "trace {index}: {op:?}: {answer:?}, seen {:?}", seen.result);
        }
    }
    assert!(1000 < compared, "{compared} answers");
}
