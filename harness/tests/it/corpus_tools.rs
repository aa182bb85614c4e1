//! The corpus tools: what they delete was of no use, what a person chose stays, and everything they do is done once.

use memtwin::trace_files::load;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const HEADER: &str = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10000"}}"#;

struct Room {
    folder: TempDir,
}

impl Room {
    fn new() -> Self {
        Room { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs `memtwin corpus`, expects this exit code, returns what it said.
    fn corpus(&self, code: i32, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_memtwin"));
        let output = command.arg("corpus").args(arguments).current_dir(self.folder.path()).output().unwrap();
        let (text, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}{errors}");
        text + &errors
    }

    /// Fills a folder with fresh traces of two components, as an engine would.
    fn fill(&self, folder: &str, stream: u64, traces: u64) {
        let registry = memtwin::built_in();
        for (component, subject) in [("guest_memory", "soft_mmu"), ("header_free", "hardened")] {
            let target = registry.get(registry.index_of(component, subject).unwrap()).unwrap();
            let mut source = target.traces();
            let mut wire = Vec::new();
            for index in 0..traces {
                // One trace of each group, so that setups differ.
                source.write(stream, 64 * index, &mut wire);
                self.file(&format!("{folder}/{component}/{index:016x}"), &wire);
            }
        }
    }

    /// Puts a second file beside each, which reaches nothing new.
    fn copy(&self, folder: &str) {
        for (path, bytes) in self.files(folder) {
            let name = path.file_name().unwrap().to_str().unwrap().replacen('0', "c", 1);
            fs::write(path.with_file_name(name), bytes).unwrap();
        }
    }

    fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        read(&self.path(folder), &mut files);
        files
    }
}

fn read(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, files);
        } else {
            let bytes = fs::read(&path).unwrap();
            files.insert(path, bytes);
        }
    }
}

/// The number before `features`, in the last line.
fn features(text: &str) -> &str {
    text.trim_end().strip_suffix(" features").and_then(|text| text.rsplit(' ').next()).unwrap()
}

#[test]
fn minimising_loses_no_feature_and_is_done_once() {
    let room = Room::new();
    room.fill("corpus", 1, 60);
    room.copy("corpus");
    let before = room.files("corpus");
    let text = room.corpus(0, &["minimize", "corpus"]);
    let after = room.files("corpus");
    assert!(2 * after.len() <= before.len() && 10 < after.len(), "{text}");
    assert!(after.iter().all(|(path, bytes)| before[path] == *bytes), "what is kept is not changed");
    let again = room.corpus(0, &["minimize", "corpus"]);
    assert_eq!(room.files("corpus"), after);
    assert_eq!(features(&again), features(&text));
    // One component's folder by itself is minimal too.
    room.corpus(0, &["minimize", "corpus/guest_memory"]);
    assert_eq!(room.files("corpus"), after);
}

#[test]
fn what_a_person_chose_stays() {
    let room = Room::new();
    room.fill("corpus", 1, 3);
    let small = room.files("corpus/guest_memory").into_values().next().unwrap();
    room.file("corpus/guest_memory/seed-one", &small);
    room.file("corpus/guest_memory/seed-two", &small);
    room.file("corpus/guest_memory/written.jsonl", format!("{HEADER}\n"));
    room.file("corpus/guest_memory/cccccccccccccccc", &small);
    room.file("corpus/README.md", "not a trace");
    room.corpus(0, &["minimize", "corpus"]);
    let left = room.files("corpus");
    for name in ["guest_memory/seed-one", "guest_memory/seed-two", "guest_memory/written.jsonl", "README.md"] {
        assert!(left.contains_key(&room.path("corpus").join(name)), "{name} is gone");
    }
    assert!(!left.contains_key(&room.path("corpus/guest_memory/cccccccccccccccc")));
}

#[test]
fn promoted_seeds_replay_and_promoting_is_done_once() {
    let room = Room::new();
    room.fill("corpus", 2, 12);
    let text = room.corpus(0, &["minimize", "corpus", "--promote"]);
    let seeds = room.files("corpus");
    assert!(seeds.keys().all(|path| path.file_name().unwrap().to_string_lossy().starts_with("seed-")), "{seeds:?}");
    assert_eq!(text.matches("promoted to ").count(), seeds.len());
    let again = room.corpus(0, &["minimize", "corpus", "--promote"]);
    assert!(!again.contains("promoted") && features(&again) == features(&text), "{again}");
    assert_eq!(room.files("corpus"), seeds);
    let mut replay = Command::new(env!("CARGO_BIN_EXE_memtwin"));
    assert!(replay.args(["replay", "corpus"]).current_dir(room.folder.path()).output().unwrap().status.success());
}

#[test]
fn merging_adds_what_is_new_and_nothing_twice() {
    let room = Room::new();
    room.fill("one", 3, 20);
    room.copy("one");
    room.fill("two", 4, 20);
    room.corpus(0, &["merge", "one", "both"]);
    let of_one = room.files("both");
    assert!(of_one.len() <= 40);
    room.corpus(0, &["merge", "two", "both"]);
    let of_both = room.files("both");
    assert!(of_one.len() < of_both.len());
    assert!(of_one.iter().all(|(path, bytes)| of_both[path] == *bytes));
    for folder in ["one", "two", "both"] {
        let text = room.corpus(0, &["merge", folder, "both"]);
        assert!(text.starts_with("0 of "), "{text}");
    }
    // A component's folder takes that component's traces only.
    let text = room.corpus(2, &["merge", "one", "both/guest_memory"]);
    assert!(text.contains("is a trace of header_free"), "{text}");
    room.corpus(0, &["merge", "one/header_free", "new/header_free"]);
    assert!(!room.files("new/header_free").is_empty());
    assert_eq!(room.files("both"), of_both);
}

#[test]
fn check_names_what_does_not_decode() {
    let room = Room::new();
    room.fill("corpus", 5, 2);
    assert_eq!(room.corpus(0, &["check", "corpus"]), "4 files decode, 0 do not\n");
    room.file("corpus/guest_memory/torn.jsonl", format!("{HEADER}\n{{\"op\":\"read"));
    room.file("corpus/guest_memory/of-tomorrow.jsonl", HEADER.replace(":1,", ":3,"));
    room.file("corpus/guest_memory/id:000001", vec![1; (1 << 20) + 1]);
    room.file("corpus/guest_memory/id:000002", "");
    room.file("corpus/nobody/id:000003", "bytes");
    let before = room.files("corpus");
    let text = room.corpus(1, &["check", "corpus"]);
    for (name, why) in
        [("torn.jsonl:2", "EOF"), ("of-tomorrow", "version 3"), ("id:000001", "1048577"), ("id:000002", "empty")]
    {
        let line = text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name} is not in {text}"));
        assert!(line.starts_with("does not decode: ") && line.contains(why), "{line}");
    }
    assert!(text.contains("nobody/id:000003") && text.ends_with("4 files decode, 5 do not\n"), "{text}");
    // The other tools leave them where they are.
    let text = room.corpus(1, &["minimize", "corpus"]);
    assert_eq!(text.matches("does not decode, kept: ").count(), 5, "{text}");
    room.corpus(1, &["migrate", "corpus"]);
    assert!(before.keys().all(|path| path.file_name().unwrap() == "0000000000000001" || path.exists()));
}

#[test]
fn a_folder_may_be_given_from_within() {
    let room = Room::new();
    room.fill("corpus", 5, 2);
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtwin"));
    let output = command.args(["corpus", "check", "."]).current_dir(room.path("corpus/guest_memory")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "2 files decode, 0 do not\n");
    let text = room.corpus(2, &["minimize", "nowhere"]);
    assert!(text.starts_with("error: cannot read nowhere: "), "{text}");
    let text = room.corpus(2, &["check", "corpus/guest_memory/0000000000000000"]);
    assert!(text.contains("is no folder"), "{text}");
}

#[test]
fn migrating_keeps_the_meaning_and_is_done_once() {
    let room = Room::new();
    room.fill("corpus", 6, 4);
    // Bytes that no version wrote: they decode, and have a canonical form.
    let odd: Vec<u8> = (0..200_u8).map(|index| index.wrapping_mul(151)).collect();
    let odd = room.file("corpus/guest_memory/id:000000,orig:odd", odd);
    let json =
        room.file("corpus/guest_memory/loose.jsonl", format!("{HEADER}\n\n{{ \"op\":\"memory_size\", \"owner\": 0 }}"));
    let registry = memtwin::built_in();
    let meaning = |path: &Path| {
        let loaded = load(&registry, path).unwrap();
        (loaded.header, loaded.dialect.canonical(&loaded.wire))
    };
    let before = [meaning(&odd), meaning(&json)];
    let text = room.corpus(0, &["migrate", "corpus"]);
    assert!(text.ends_with("2 of 10 files were rewritten\n"), "{text}");
    assert_eq!([meaning(&odd), meaning(&json)], before);
    let text = room.corpus(0, &["migrate", "corpus"]);
    assert_eq!(text, "0 of 10 files were rewritten\n");
}

/// What no engine wrote, in a folder of a component with enough inputs to be a corpus.
fn foreign(room: &Room) -> BTreeMap<PathBuf, Vec<u8>> {
    room.fill("corpus", 7, 20);
    room.copy("corpus");
    room.file("corpus/guest_memory/src/lib.rs", "//! A library.\n");
    room.file("corpus/guest_memory/src/main.rs", "fn main() {}\n");
    room.file("corpus/guest_memory/id_rsa", "a key\n");
    room.file("corpus/guest_memory/0123456789abcdee", "text under the name of an input\n");
    room.file("corpus/guest_memory/seed-money.txt", "text under the name of a seed\n");
    room.file("corpus/guest_memory/table.json", "{}\n");
    room.file("corpus/guest_memory/fuzzer_stats", "start_time : 1\n");
    // An input, but nobody says whose.
    room.file("corpus/guest_memory/mine", [1, 2, 3]);
    let is_foreign = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.len() != 16 || name == "0123456789abcdee"
    };
    room.files("corpus").into_iter().filter(|(path, _)| is_foreign(path)).collect()
}

#[test]
fn what_no_engine_wrote_is_left_alone_counted_and_named() {
    let room = Room::new();
    let foreign = foreign(&room);
    assert_eq!(foreign.len(), 8);
    for arguments in [
        &["migrate", "corpus"][..],
        &["migrate", "corpus/guest_memory"],
        &["minimize", "corpus"],
        &["minimize", "--promote", "corpus"],
        &["merge", "corpus", "corpus"],
        &["merge", "corpus", "other"],
        &["check", "corpus"],
    ] {
        let text = room.corpus(0, arguments);
        let files = if arguments == ["merge", "corpus", "corpus"] { 16 } else { 8 };
        let line = format!("left alone: {files} files that no engine wrote for certain, such as ");
        assert_eq!(text.lines().filter(|text| text.starts_with(&line)).count(), 1, "{arguments:?}: {text}");
        let left = room.files("corpus");
        foreign.iter().for_each(|(path, bytes)| assert_eq!(left.get(path), Some(bytes), "{arguments:?}: {path:?}"));
    }
    // None of it came along.
    let others = room.files("other").into_values().collect::<Vec<_>>();
    assert!(!others.is_empty() && !foreign.values().any(|bytes| others.contains(bytes)));
}

#[test]
fn a_folder_that_looks_like_something_else_is_refused() {
    let room = Room::new();
    // A project that is named like a component, as in the home of somebody.
    for name in ["src/lib.rs", "src/main.rs", "Makefile", "id_rsa", "LICENSE"] {
        room.file(&format!("home/guest_memory/{name}"), "text\n");
    }
    room.file("home/guest_memory/0123456789abcdef", [1, 2, 3]);
    room.file("project/Cargo.toml", "[package]\n");
    room.file("project/guest_memory/0123456789abcdef", [1, 2, 3]);
    fs::create_dir_all(room.path("clone/.git")).unwrap();
    room.file("clone/guest_memory/0123456789abcdef", [1, 2, 3]);
    let before = room.files(".");
    for tool in [&["migrate"][..], &["minimize"], &["minimize", "--promote"], &["minimize", "--dry-run"]] {
        for (folder, about) in [
            ("home", "5 of its files no engine wrote, such as home/guest_memory/LICENSE, beside 1 that are inputs"),
            ("home/guest_memory", "name the folder that engines write to"),
            ("project", "it has a Cargo.toml"),
            ("clone", "it has a .git"),
        ] {
            let text = room.corpus(2, &[tool, &[folder]].concat());
            assert!(text.contains(about) && text.lines().count() == 1, "{tool:?} {folder}: {text}");
            for (from, into) in [(folder, "other"), ("clone/guest_memory", folder)] {
                room.corpus(2, &["merge", from, into]);
            }
        }
    }
    assert_eq!(room.files("."), before);
    // The folder in it that engines write to is a corpus.
    room.corpus(0, &["minimize", "clone/guest_memory"]);
}

#[test]
fn an_empty_corpus_is_no_passing_check() {
    let room = Room::new();
    for folder in ["empty", "foreign/guest_memory"] {
        fs::create_dir_all(room.path(folder)).unwrap();
    }
    room.file("foreign/guest_memory/notes.txt", "text");
    for folder in ["empty", "foreign"] {
        let text = room.corpus(2, &["check", folder]);
        assert!(text.ends_with("holds no input of an engine, so there is nothing to check\n"), "{text}");
    }
    // Minimising nothing is done at once.
    room.corpus(0, &["minimize", "empty"]);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let room = Room::new();
    room.fill("corpus", 8, 20);
    room.copy("corpus");
    let odd: Vec<u8> = (1..200_u8).map(|index| index.wrapping_mul(151)).collect();
    room.file("corpus/guest_memory/id:000000", odd);
    let before = room.files("corpus");
    let said = |text: &str, word: &str| text.lines().filter(|line| line.starts_with(word)).count();

    let dry = room.corpus(0, &["migrate", "corpus", "--dry-run"]);
    assert_eq!((said(&dry, "would rewrite corpus/guest_memory/id:000000"), room.files("corpus") == before), (1, true));
    assert!(dry.ends_with("1 of 81 files would be rewritten\n"), "{dry}");

    let dry = room.corpus(0, &["merge", "corpus", "new", "--dry-run"]);
    assert!(!room.path("new").exists() && dry.contains("would be added to new"), "{dry}");
    room.corpus(0, &["merge", "corpus", "new"]);
    assert_eq!(said(&dry, "would write new/"), room.files("new").len());

    let dry = room.corpus(0, &["minimize", "corpus", "--promote", "--dry-run"]);
    assert_eq!(room.files("corpus"), before);
    let wet = room.corpus(0, &["minimize", "corpus", "--promote"]);
    let after = room.files("corpus");
    assert_eq!(said(&dry, "would promote corpus/"), said(&wet, "promoted to "));
    assert_eq!(said(&dry, "would delete corpus/"), before.len() - after.len());
    assert_eq!(features(&dry), features(&wet));
}

#[test]
fn links_in_a_corpus_are_neither_followed_nor_replaced() {
    let room = Room::new();
    room.fill("corpus", 9, 2);
    room.file("precious/one", [1, 200, 3]);
    room.file("precious/two", [7; 40]);
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(room.path(to), room.path(name)).unwrap();
    link("precious/one", "corpus/guest_memory/id:000000");
    link("precious/two", "corpus/guest_memory/id:000001");
    link("precious", "corpus/brk_heap");
    let precious = room.files("precious");
    room.corpus(0, &["migrate", "corpus"]);
    room.corpus(0, &["minimize", "corpus", "--promote"]);
    assert_eq!(room.files("precious"), precious);
    assert!(room.path("corpus/brk_heap").is_symlink() && room.path("corpus/guest_memory/id:000001").is_symlink());
    // Whatever a new input would be called, a link of that name stays what it is.
    room.corpus(0, &["merge", "corpus", "taken"]);
    let names = room.files("taken/guest_memory").into_keys();
    for name in names {
        fs::remove_file(&name).unwrap();
        std::os::unix::fs::symlink(room.path("precious/one"), &name).unwrap();
    }
    assert!(room.corpus(2, &["merge", "corpus", "taken"]).contains("is a link"));
    assert_eq!(room.files("precious"), precious);
    // The corpus itself may be reached by a link, as fuzz/corpus is.
    link("corpus", "by-link");
    room.corpus(0, &["minimize", "by-link"]);
}
