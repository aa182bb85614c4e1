//! Malloc libraries that nobody compiled against memtwin: they are found, loaded, judged, and named by their traces.

use crate::command_line::Room;
use std::path::PathBuf;
use std::process::Command;

/// The library of tests below a room; `None`, in plain sight, where there is no C compiler.
pub(crate) fn library(room: &Room, name: &str) -> Option<PathBuf> {
    let (source, library) = (concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tiny_malloc.c"), room.path(name));
    std::fs::create_dir_all(library.parent().unwrap()).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-fno-builtin", "-Wl,--build-id=sha1", "-o"]).arg(&library).arg(source);
    match compiler.status() {
        Ok(status) => assert!(status.success(), "cc failed"),
        Err(error) => {
            #[allow(clippy::print_stdout)] // nobody should take silence for a pass
            {
                println!("skipped: no C compiler ({error})");
            }
            return None;
        }
    }
    Some(library)
}

pub(crate) fn named(library: &std::path::Path, prefix: &str) -> String {
    format!("{}:{prefix}", library.display())
}

#[test]
fn a_right_library_agrees_and_its_missing_calls_are_not_asked_for() {
    let room = Room::new();
    let Some(library) = library(&room, "libtiny.so") else { return };
    let run = room
        .json(0, &["fuzz", "heap", "--library", &named(&library, "right_"), "--seed", "1", "--ops", "300k", "--json"]);
    let subjects = run["subjects"].as_array().unwrap();
    assert_eq!(subjects.len(), 1, "a library that is named is meant alone");
    assert_eq!((&subjects[0]["subject"], &subjects[0]["verdict"]), (&"libtiny.so".into(), &"agreed".into()));
    let ops = |kind: &str| subjects[0]["outcomes"].get(kind).map_or(0, |seen| seen["done"].as_u64().unwrap_or(0));
    assert!(10_000 < ops("malloc") && 1000 < ops("posix_memalign"), "{}", subjects[0]["outcomes"]);
    assert_eq!(ops("aligned_alloc") + ops("memalign") + ops("usable_size") + ops("trim"), 0);
}

#[test]
fn what_the_sandbox_refuses_a_library_is_a_line_and_no_finding() {
    let room = Room::new();
    let Some(library) = library(&room, "libtiny.so") else { return };
    let fuzz = ["fuzz", "heap", "--library", &named(&library, "right_"), "--seed", "1", "--ops", "10k"];
    let output = room.run(&fuzz);
    let said = String::from_utf8_lossy(&output.stderr);
    // socket is system call 41 of x86-64.
    assert!(said.contains("a library made system call 41, which the sandbox answers with EPERM"), "{said}");
}

#[test]
fn a_wrong_library_is_caught_and_its_trace_finds_it_again() {
    let room = Room::new();
    let Some(library) = library(&room, "lib/libtiny.so") else { return };
    let wrong = named(&library, "wrong_");
    let fuzz = ["fuzz", "heap", "--library", &wrong, "--seed", "1", "--ops", "300k", "--out", "found"];
    assert_eq!(room.run(&fuzz).status.code(), Some(1));
    let trace = "found/heap/libtiny.so-aligned-aligned_alloc-block.jsonl";
    let text = std::fs::read_to_string(room.path(trace)).unwrap();
    assert_eq!(text.lines().count(), 2, "one op shows it: {text}");
    let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(header["memtwin"], 2, "an older program says that it does not know this");
    let origin = &header["library"];
    assert_eq!((&origin["file"], &origin["prefix"]), (&"libtiny.so".into(), &"wrong_".into()));
    assert_eq!(origin["build_id"].as_str().map(str::len), Some(40));
    // Named on the command line, it is that one.
    assert_eq!(room.run(&["replay", trace, "--library", &wrong]).status.code(), Some(0));
    // By its name alone it is looked for where the loader looks.
    let found = room.command(&["replay", trace]).env("LD_LIBRARY_PATH", room.path("lib")).output().unwrap();
    assert_eq!(found.status.code(), Some(0), "{}", String::from_utf8_lossy(&found.stderr));
    room.complains(&["replay", trace], "is not where libraries lie: name it with --library");
    let other = text.replace(origin["build_id"].as_str().unwrap(), &"0".repeat(40));
    std::fs::write(room.path(trace), other).unwrap();
    let found = room.command(&["replay", trace]).env("LD_LIBRARY_PATH", room.path("lib")).output().unwrap();
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.code() == Some(2) && said.contains("is here with build id"), "{said}");
}

#[test]
fn where_a_library_died_is_told_by_its_own_functions() {
    let room = Room::new();
    let Some(library) = library(&room, "libtiny.so") else { return };
    let fatal = named(&library, "fatal_");
    let fuzz = ["fuzz", "heap", "--library", &fatal, "--seed", "1", "--ops", "30k", "--out", "found"];
    assert_eq!(room.run(&fuzz).status.code(), Some(1));
    let trace = "found/heap/libtiny.so-segfault-malloc.jsonl";
    let told = room.run(&["explain", trace, "--library", &fatal]);
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("frames   fatal_get") && told.contains("fatal_malloc"), "{told}");
}

/// A line a signature, and how often it was found at the end; not a line an epoch.
#[test]
fn what_every_epoch_finds_is_told_once_and_counted() {
    let room = Room::new();
    let Some(library) = library(&room, "libtiny.so") else { return };
    let fuzz =
        ["fuzz", "heap", "--library", &named(&library, "wrong_"), "--seed", "1", "--ops", "20M", "--out", "found"];
    let said = room.expect(1, &fuzz);
    let lines = said.lines().filter(|line| line.contains(" aligned/aligned_alloc/block ") && line.contains(" trace "));
    assert_eq!(lines.count(), 1, "{said}");
    assert!(said.contains(" aligned/aligned_alloc/block was found in "), "{said}");
}

/// A library has no reset: what it remembers of earlier traces is part of the finding.
#[test]
fn what_needs_earlier_traces_is_found_with_them() {
    let room = Room::new();
    let Some(library) = library(&room, "libtiny.so") else { return };
    let tired = named(&library, "tired_");
    for engine in ["guided", "random"] {
        let fuzz = ["fuzz", "heap", "--library", &tired, "--seed", "1", "--ops", "30k", "--engine", engine];
        let said = room.expect(1, &[&fuzz[..], &["--out", engine]].concat());
        assert!(said.contains(" earlier traces left: they are part of the trace"), "{said}");
        let trace = format!("{engine}/heap/libtiny.so-zeroed-calloc-block.jsonl");
        let ops = std::fs::read_to_string(room.path(&trace)).unwrap().lines().count() - 1;
        // Eight blocks are asked for and freed, six times, and one more is not zeroed.
        assert!((6 * 9 + 1..6 * 16).contains(&ops), "{ops} ops are left");
        assert_eq!(room.run(&["replay", &trace, "--library", &tired]).status.code(), Some(0), "it fails alone");
    }
}

#[test]
fn what_is_no_malloc_library_is_one_line() {
    let room = Room::new();
    std::fs::write(room.path("text.so"), "no library").unwrap();
    let text = room.path("text.so").display().to_string();
    room.complains(&["list", "--library", &text], "is no shared library for this machine");
    room.complains(&["list", "--library", "/nowhere/libx.so"], "cannot read /nowhere/libx.so");
    room.complains(&["list", "--library", "/"], "cannot be read");
    let Some(library) = library(&room, "libtiny.so") else { return };
    room.complains(&["list", "--library", &library.display().to_string()], "has no malloc and free");
    room.complains(
        &["list", "--library", &named(&library, "right_"), "--contract", "c,nonsense"],
        "there is no freedom \"nonsense\"",
    );
}
