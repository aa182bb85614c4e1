//! `memtwin record`: what small C programs ask becomes traces that agree on sound allocators, a broken allocator is
//! told at the call that shows it, and where nothing is recorded the reason is. Where there is no C compiler a line
//! says so.

use super::command_line::Room;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const MIMALLOC: &str = "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2.0";
const JEMALLOC: &str = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";

/// Not through the macros, whose lines tests keep to themselves.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Builds the recorder beside memtwin: Cargo does not, for a test.
fn build_recorder() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_memtwin"));
        let profile = program.parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "--package", "memtwin-recorder", "--target-dir"]);
        cargo.arg(profile.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

/// Compiles one of the C files beside this one; `None` where nothing compiles C.
fn compile(room: &Room, source: &str, into: &str, options: &[&str]) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recording").join(source);
    let into = room.path(into);
    // The compiler knows what malloc does, and would leave calls out.
    let options = [&["-O1", "-fno-builtin", "-pthread", "-w"], options].concat();
    match Command::new("cc").args(&options).arg(source).arg("-o").arg(&into).output() {
        Err(_) => {
            skipped("no cc, so no program is recorded");
            None
        }
        Ok(output) if options.contains(&"-static") && !output.status.success() => {
            skipped("cc links nothing statically");
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(into)
        }
    }
}

/// A room with the program in it; `None` where nothing compiles C.
fn room_with_victim() -> Option<Room> {
    build_recorder();
    let room = Room::new();
    compile(&room, "victim.c", "victim", &[])?;
    Some(room)
}

/// What `memtwin record` says, on standard error; it must end with this code.
#[track_caller]
fn record(room: &Room, code: i32, arguments: &[&str]) -> String {
    let output: Output = room.run(&[&["record"], arguments].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_a_program_asks_becomes_traces_that_agree_on_sound_allocators() {
    let Some(room) = room_with_victim() else { return };
    let told = record(&room, 0, &["--out", "out", "./victim", "togx"]);
    assert!(told.contains("./victim ended with exit code 3"), "{told}");
    assert!(told.contains("5 threads asked, and share the 4 threads that a trace has"), "{told}");
    let names = files(&room.path("out"));
    assert!(2 <= names.len() && names.iter().all(|name| name.starts_with("victim-0")), "{names:?}");
    let replayed = room.expect(0, &["replay", "out", "--subject", "libc"]);
    assert!(replayed.ends_with(&format!("{} passed, 0 failed, 0 skipped\n", names.len())), "{replayed}");
    room.expect(0, &["replay", "out", "--subject", "paged_malloc"]);
    if Path::new(JEMALLOC).exists() {
        room.expect(0, &["replay", "out", "--library", JEMALLOC]);
    } else {
        skipped(&format!("no {JEMALLOC}"));
    }
    // The same sizes and alignments as in the source.
    let text: String = names.iter().map(|name| std::fs::read_to_string(room.path("out").join(name)).unwrap()).collect();
    for line in [
        r#""align":"0x100","size":"0x100"}"#,
        r#"{"op":"calloc","slot":"#,
        r#","align":"0x18","size":"0x64"}"#,
        r#","count":"0xa","size":"0xa"}"#,
        r#"{"op":"free_null"}"#,
        r#"{"op":"usable_size","slot":"#,
        r#""size":"0xa00000"}"#,
        r#""lane":3"#,
    ] {
        assert!(text.contains(line), "{line}");
    }
}

#[test]
fn a_program_that_another_one_becomes_has_traces_of_its_own() {
    let Some(room) = room_with_victim() else { return };
    record(&room, 0, &["--out", "out", "--", "./victim", "p"]);
    let names = files(&room.path("out"));
    // The program itself asks for nothing; what it forks is silent until it is another program.
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].starts_with("victim.") && names[0].ends_with("-0001.jsonl"), "{names:?}");
    let text = std::fs::read_to_string(room.path("out").join(&names[0])).unwrap();
    assert!(text.contains(r#""op":"realloc""#) && !text.contains("0x3039"), "{text}");
}

#[test]
fn a_program_that_is_killed_loses_nothing() {
    let Some(room) = room_with_victim() else { return };
    let told = record(&room, 0, &["--out", "out", "./victim", "ok"]);
    assert!(told.contains("was ended by signal 9"), "{told}");
    assert!(told.contains("victim 1") && told.contains("became 1 trace"), "{told}");
}

#[test]
fn the_allocator_of_the_host_breaks_no_law() {
    let Some(room) = room_with_victim() else { return };
    let told = record(&room, 0, &["--judge", "--out", "out", "./victim", "togp"]);
    assert!(told.contains("calls judged, no law broken"), "{told}");
    assert!(told.contains("not judged: what the program wrote"), "{told}");
}

#[test]
fn recorder_and_model_say_the_same_of_a_broken_allocator() {
    let Some(room) = room_with_victim() else { return };
    let Some(library) = compile(&room, "broken.c", "libbroken.so", &["-shared", "-fPIC"]) else { return };
    let library = library.to_str().unwrap();
    for (part, law, function, kind) in [
        ("a", "aligned", "aligned_alloc(256, 256)", "aligned_alloc"),
        ("d", "disjoint", "malloc(777)", "malloc"),
        ("z", "zeroed", "calloc(7, 111)", "calloc"),
        ("k", "kept", "realloc(block, 888)", "realloc"),
        ("u", "usable", "malloc_usable_size(block) answered 554", "usable_size"),
        ("r", "refusal", "calloc(0x200000000, 0x200000000)", "calloc"),
        ("i", "invalid", "posix_memalign(&block, 24, 99)", "posix_memalign"),
    ] {
        let out = format!("out-{law}");
        let told = record(&room, 1, &["--judge", "--preload", library, "--out", &out, "--", "./victim", "gw", part]);
        let said = told.lines().find(|line| line.contains("broke law")).unwrap_or_else(|| panic!("{told}"));
        assert!(said.contains(&format!("your allocator broke law {law} at call ")), "{said}");
        assert!(said.contains(function), "{said}");
        assert_eq!(told.matches("broke law").count(), 1, "{told}");
        let command = told.lines().find_map(|line| line.trim().strip_prefix("memtwin ")).unwrap();
        let replayed = room.expect(1, &command.split(' ').collect::<Vec<_>>());
        assert!(replayed.contains(&format!("saw heap/{law}/{kind}/")), "{replayed}");
    }
    // What it does not break is no finding.
    record(&room, 0, &["--judge", "--preload", library, "--out", "out", "--", "./victim", "g"]);
}

#[test]
fn a_library_that_aligns_too_little_is_told_at_that_call() {
    let Some(room) = room_with_victim() else { return };
    if !Path::new(MIMALLOC).exists() {
        return skipped(&format!("no {MIMALLOC}"));
    }
    let mut command = room.command(&["record", "--judge", "--out", "out", "./victim", "o"]);
    let output = command.env("LD_PRELOAD", MIMALLOC).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let words = "aligned_alloc(256, 256) answered a block at 0x";
    assert!(told.contains("your allocator broke law aligned at call ") && told.contains(words), "{told}");
    let file = room.path("out/victim-broken-aligned-aligned_alloc.jsonl");
    let file = file.to_str().unwrap();
    let replayed = room.expect(1, &["replay", file, "--library", MIMALLOC]);
    assert!(replayed.contains("saw heap/aligned/aligned_alloc/block"), "{replayed}");
    room.expect(0, &["shrink", file, "-o", "small.jsonl", "--library", MIMALLOC]);
}

#[test]
fn where_nothing_is_recorded_the_reason_is_told() {
    let Some(room) = room_with_victim() else { return };
    let told = record(&room, 2, &["/bin/true"]);
    assert!(
        told.contains("nothing was recorded of /bin/true: the recorder was loaded, and nothing was asked"),
        "{told}"
    );
    let told = record(&room, 2, &["--judge", "./victim"]);
    assert!(told.contains("nothing was asked of malloc"), "{told}");
    room.complains(&["record", "./missing"], "cannot run ./missing");
    room.complains(&["record"], "PROGRAM");
    room.file("full/file", "x");
    room.complains(&["record", "--out", "full", "./victim", "g"], "there is something in full");
    if compile(&room, "victim.c", "victim-static", &["-static"]).is_some() {
        let told = record(&room, 2, &["./victim-static", "g"]);
        assert!(told.contains("nothing was recorded of ./victim-static: it is statically linked"), "{told}");
    }
    // Beside this copy there is no recorder.
    let alone = room.path("alone/memtwin");
    std::fs::create_dir_all(room.path("alone")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_memtwin"), &alone).unwrap();
    let output = Command::new(&alone).args(["record", "/bin/true"]).current_dir(room.path("alone")).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("build it with `cargo build --release -p memtwin-recorder`"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn files_of_other_tools_become_traces_or_a_reason() {
    let room = Room::new();
    let text = "= Start\n@ ./a:[0x1] + 0x10 0x18\n@ ./a:[0x1] < 0x10\n@ ./a:[0x1] > 0x20 0x30\n@ ./a:[0x1] - 0x20\n";
    room.file("old.mtrace", text);
    let told = record(&room, 0, &["--import", "old.mtrace", "--out", "out"]);
    assert!(told.contains("old 3 calls became 1 trace"), "{told}");
    let trace = std::fs::read_to_string(room.path("out/old-0001.jsonl")).unwrap();
    let ops: Vec<&str> = trace.lines().skip(1).collect();
    assert_eq!(
        ops,
        [
            r#"{"op":"malloc","slot":0,"size":"0x18"}"#,
            r#"{"op":"realloc","slot":0,"size":"0x30"}"#,
            r#"{"op":"free","slot":0}"#
        ]
    );
    room.expect(0, &["replay", "out", "--subject", "libc"]);
    room.file("other", "v 1\n");
    room.complains(&["record", "--import", "other", "--out", "none"], "other:1: mtrace writes no such line");
    room.complains(&["record", "--import", "gone", "--out", "none"], "cannot read gone");
    room.complains(&["record", "--import", "other", "--format", "heaptrack"], "not which block");
}
