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
                self.file(&format!("{folder}/{component}/fresh-{index}"), &wire);
            }
        }
    }

    /// Puts a second file beside each, which reaches nothing new.
    fn copy(&self, folder: &str) {
        for (path, bytes) in self.files(folder) {
            fs::write(path.with_extension("again"), bytes).unwrap();
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
    room.file("corpus/guest_memory/copy", &small);
    room.file("corpus/README.md", "not a trace");
    room.corpus(0, &["minimize", "corpus"]);
    let left = room.files("corpus");
    for name in ["guest_memory/seed-one", "guest_memory/seed-two", "guest_memory/written.jsonl", "README.md"] {
        assert!(left.contains_key(&room.path("corpus").join(name)), "{name} is gone");
    }
    assert!(!left.contains_key(&room.path("corpus/guest_memory/copy")));
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
    room.file("corpus/guest_memory/of-tomorrow", HEADER.replace(":1,", ":2,"));
    room.file("corpus/guest_memory/long", vec![1; (1 << 20) + 1]);
    room.file("corpus/guest_memory/empty", "");
    room.file("corpus/nobody/stray", "bytes");
    let before = room.files("corpus");
    let text = room.corpus(1, &["check", "corpus"]);
    for (name, why) in [("torn.jsonl:2", "EOF"), ("of-tomorrow", "version 2"), ("long", "1048577"), ("empty", "empty")]
    {
        let line = text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name} is not in {text}"));
        assert!(line.starts_with("does not decode: ") && line.contains(why), "{line}");
    }
    assert!(text.contains("nobody/stray") && text.ends_with("4 files decode, 5 do not\n"), "{text}");
    // The other tools leave them where they are.
    let text = room.corpus(1, &["minimize", "corpus"]);
    assert_eq!(text.matches("does not decode, kept: ").count(), 5, "{text}");
    room.corpus(1, &["migrate", "corpus"]);
    assert!(before.keys().all(|path| path.file_name().unwrap() == "fresh-1" || path.exists()));
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
    let text = room.corpus(2, &["check", "corpus/guest_memory/fresh-0"]);
    assert!(text.contains("is no folder"), "{text}");
}

#[test]
fn migrating_keeps_the_meaning_and_is_done_once() {
    let room = Room::new();
    room.fill("corpus", 6, 4);
    // Bytes that no version wrote: they decode, and have a canonical form.
    let odd: Vec<u8> = (0..200_u8).map(|index| index.wrapping_mul(151)).collect();
    let odd = room.file("corpus/guest_memory/odd", odd);
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
