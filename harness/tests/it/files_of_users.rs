//! What lies where the program reads and writes is the user's: it is never replaced by something of another kind, and
//! nothing that cannot be read makes a verb wait. Corpus tools have tests of their own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MEMTWIN: &str = env!("CARGO_BIN_EXE_memtwin");
const TRACE: &str = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10000"},"subject":"GM-01","expect":"guest_memory/segfault/read_bulk"}
{"op":"read_bulk","owner":1,"address":"0x1000","length":4096}
"#;

struct Room {
    folder: TempDir,
}

impl Room {
    /// With a trace and a run file.
    fn new() -> Self {
        let room = Room { folder: tempfile::tempdir().unwrap() };
        fs::write(room.path("t.jsonl"), TRACE).unwrap();
        let baseline = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/baseline.json");
        fs::copy(baseline, room.path("run.json")).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fifo(&self, name: &str) {
        nix::unistd::mkfifo(&self.path(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(MEMTWIN);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs, and expects this exit code.
    fn run(&self, code: i32, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        output
    }

    /// Runs on something that cannot be used: one line about it, and exit code 2.
    fn complains(&self, arguments: &[&str], about: &str) {
        let output = self.run(2, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{arguments:?}: {errors}");
        assert!(errors.contains(about), "{arguments:?} should complain about {about:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// Every verb that writes a file to a place of the user's choice, without that place.
const WRITING: [&[&str]; 5] = [
    &["convert", "t.jsonl", "--to", "wire", "-o"],
    &["convert", "t.jsonl", "--to", "jsonl", "-o"],
    &["shrink", "t.jsonl", "-o"],
    &["export", "t.jsonl", "--to", "rust-test", "-o"],
    &["merge", "run.json", "-o"],
];

#[test]
fn what_is_there_and_no_regular_file_is_written_through() {
    let room = Room::new();
    room.fifo("fifo");
    for verb in WRITING {
        let to = |place: &'static str| [verb, &[place]].concat();
        room.run(0, &to("/dev/null"));
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        room.complains(&to("/dev/full"), "No space left");
        assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
        room.complains(&to("fifo"), "it is a FIFO that nobody reads");
        assert!(fs::symlink_metadata(room.path("fifo")).unwrap().file_type().is_fifo());
        room.complains(&to("."), "that is the name of a folder");
        room.complains(&to("new/"), "that is the name of a folder");
    }
    let text = room.run(0, &["convert", "t.jsonl", "--to", "jsonl", "-o", "/dev/stdout"]).stdout;
    assert_eq!(String::from_utf8(text).unwrap(), TRACE);
    assert!(!room.path("new").exists());
}

/// Standard output that is a file has what was written to it by name, then what was printed.
#[test]
fn what_is_printed_follows_what_is_written_to_the_same_place() {
    let room = Room::new();
    for place in ["/dev/stdout", "/proc/self/fd/1"] {
        let out = fs::File::create(room.path("out")).unwrap();
        let mut command = room.command(&["merge", "run.json", "-o", place]);
        assert!(command.stdout(out).status().unwrap().success());
        let text = fs::read_to_string(room.path("out")).unwrap();
        let (run, said) = text.split_once('\n').unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(run).is_ok(), "{place}");
        assert!(said.ends_with(&format!("findings in {place}\n")), "{said}");
    }
}

#[test]
fn links_and_modes_are_kept() {
    let room = Room::new();
    for verb in WRITING {
        fs::write(room.path("file"), "old").unwrap();
        fs::set_permissions(room.path("file"), Permissions::from_mode(0o604)).unwrap();
        let _ = fs::remove_file(room.path("link"));
        symlink("file", room.path("link")).unwrap();
        room.run(0, &[verb, &["link"]].concat());
        assert!(fs::symlink_metadata(room.path("link")).unwrap().is_symlink());
        let metadata = fs::metadata(room.path("file")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o604);
        assert_ne!(fs::read(room.path("file")).unwrap(), b"old");
    }
    // A file onto itself.
    room.run(0, &["convert", "t.jsonl", "--to", "jsonl", "-o", "t.jsonl"]);
    assert_eq!(fs::read_to_string(room.path("t.jsonl")).unwrap(), TRACE);
    // Who may not write a file must not replace it; for root there is no such file.
    fs::set_permissions(room.path("file"), Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(room.path("file")).is_err() {
        room.complains(&["convert", "t.jsonl", "--to", "wire", "-o", "link"], "ermission denied");
    }
}

#[test]
fn no_verb_waits_for_a_fifo_or_a_device() {
    let room = Room::new();
    room.fifo("fifo");
    symlink("/dev/zero", room.path("device")).unwrap();
    let reading: [&[&str]; 16] = [
        &["replay", "IN"],
        &["replay", "t.jsonl", "IN"],
        &["explain", "IN"],
        &["explain", "--json", "IN"],
        &["shrink", "IN", "-o", "out"],
        &["convert", "IN", "--to", "wire", "-o", "out"],
        &["accept", "IN"],
        &["export", "IN", "--to", "rust-test"],
        &["report", "IN"],
        &["compare", "IN", "run.json"],
        &["compare", "run.json", "IN"],
        &["merge", "run.json", "IN", "-o", "out"],
        &["regress", "t.jsonl", "--out", "found", "--baseline", "IN"],
        &["regress", "t.jsonl", "--out", "found", "--known", "IN"],
        &["fuzz", "guest_memory/GM-01", "--ops", "1", "--out", "found", "--known", "IN"],
        &["check", "--known", "IN"],
    ];
    for verb in reading {
        for (input, kind) in [("fifo", "it is a FIFO"), ("device", "it is a device")] {
            let arguments: Vec<&str> = verb.iter().map(|word| if *word == "IN" { input } else { word }).collect();
            let output = room.run(2, &arguments);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(errors.lines().count() == 1 && errors.contains(kind), "{arguments:?}: {errors}");
        }
    }
    // A trace that cannot be read is data for a regression run.
    let output = room.run(1, &["regress", "fifo", "--out", "found"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("it is a FIFO"));
}

#[test]
fn folders_of_traces_are_read_past_what_is_no_file() {
    let room = Room::new();
    fs::create_dir_all(room.path("corpus/guest_memory")).unwrap();
    room.fifo("corpus/guest_memory/0123456789abcdef");
    symlink("/dev/zero", room.path("corpus/guest_memory/seed-endless")).unwrap();
    fs::write(room.path("corpus/guest_memory/seed-one"), [1, 2, 3]).unwrap();
    for verb in [
        &["replay", "corpus"][..],
        &["regress", "corpus", "--out", "found"],
        &["corpus", "check", "corpus"],
        &["corpus", "minimize", "corpus"],
        &["corpus", "migrate", "corpus"],
        &["corpus", "merge", "corpus", "other"],
        &["fuzz", "guest_memory", "--ops", "1", "--out", "found", "--corpus", "corpus"],
    ] {
        room.run(0, verb);
    }
    let fifo = fs::symlink_metadata(room.path("corpus/guest_memory/0123456789abcdef")).unwrap();
    assert!(fifo.file_type().is_fifo());
}
