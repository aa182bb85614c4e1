//! Campaigns that are killed and taken up again, that are done in parts, and that begin with a corpus, from the command line.

use crate::times::remove_times;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MEMTWIN: &str = env!("CARGO_BIN_EXE_memtwin");
/// Three epochs of a sound subject, and one of each defect.
const CAMPAIGN: [&str; 7] =
    ["brk_heap/hardened", "guest_memory/GM-06", "guest_memory/GM-01", "--seed", "5", "--ops", "9M"];
const LOG: &str = "found/.campaign.jsonl";

/// Runs memtwin in a folder, and expects this exit code.
fn memtwin(folder: &Path, code: i32, arguments: &[&str]) -> Output {
    let output = Command::new(MEMTWIN).args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    output
}

/// The run file of `memtwin fuzz`, without times.
fn fuzz(folder: &Path, arguments: &[&str]) -> Value {
    let output = memtwin(folder, 0, &[&["fuzz", "--json", "--out", "found"], arguments].concat());
    let mut run: Value = serde_json::from_slice(&output.stdout).unwrap();
    remove_times(&mut run);
    run
}

/// Every file below a folder but logs, by its path.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if !path.ends_with(".campaign.jsonl") {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

fn without_folder(files: BTreeMap<PathBuf, Vec<u8>>, folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files.into_iter().map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes)).collect()
}

/// A campaign that has run to its end, with its corpus.
fn whole() -> (TempDir, Value) {
    let room = tempfile::tempdir().unwrap();
    let run = fuzz(room.path(), &[&CAMPAIGN[..], &["--workers", "1", "--corpus", "corpus"]].concat());
    assert_eq!((&run["totals"]["caught"], &run["totals"]["agreed"]), (&2.into(), &1.into()));
    (room, run)
}

#[test]
fn a_campaign_that_was_cut_anywhere_ends_as_if_nothing_had_happened() {
    let (room, run) = whole();
    let log = fs::read(room.path().join(LOG)).unwrap();
    let ends: Vec<usize> = (0..log.len()).filter(|&at| log[at] == b'\n').collect();
    // A head, a line that the corpus was looked at, two findings, and five epochs.
    assert_eq!(ends.len(), 9, "{}", String::from_utf8_lossy(&log[..200]));
    // Nothing but the head; in the middle of a finding and of an epoch; before the last epoch; and all of it.
    for cut in [ends[0] + 1, ends[2] - 20, (ends[6] + ends[7]) / 2, ends[7] + 1, log.len()] {
        let again = tempfile::tempdir().unwrap();
        fs::create_dir_all(again.path().join("found")).unwrap();
        fs::write(again.path().join(LOG), &log[..cut]).unwrap();
        let taken_up = fuzz(again.path(), &["--resume", "--workers", "2"]);
        assert_eq!(taken_up, run, "cut after {cut} of {} bytes", log.len());
        let (once, twice) = (files(room.path()), files(again.path()));
        assert_eq!(without_folder(twice, again.path()), without_folder(once, room.path()), "cut after {cut} bytes");
    }
}

#[test]
fn what_cannot_be_taken_up_is_complained_about_and_kept() {
    let room = tempfile::tempdir().unwrap();
    let complaint = |about: &str| {
        let output = memtwin(room.path(), 2, &["fuzz", "--resume", "--out", "found"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.starts_with("error: ") && errors.lines().count() == 1 && errors.contains(about), "{errors}");
    };
    complaint("there is no campaign in found to take up");
    fuzz(room.path(), &["guest_memory/GM-01", "--seed", "1", "--ops", "1M"]);
    let log = fs::read_to_string(room.path().join(LOG)).unwrap();
    for (from, to, about) in [
        ("GM-01", "GM-99", "guest_memory/GM-99 is no subject of this program"),
        ("\"memtwin_campaign\":1", "\"memtwin_campaign\":2", "version 2 of the log"),
        ("{\"target\"", "{\"target", ".campaign.jsonl:2: "),
    ] {
        let broken = log.replacen(from, to, 1);
        fs::write(room.path().join(LOG), &broken).unwrap();
        complaint(about);
        assert_eq!(fs::read_to_string(room.path().join(LOG)).unwrap(), broken);
    }
}

#[test]
fn the_parts_of_a_campaign_are_the_whole_of_it() {
    let room = tempfile::tempdir().unwrap();
    let arguments = |shard: &'static str| [&CAMPAIGN[..], &["--engine", "random", "--shard", shard]].concat();
    let whole = fuzz(room.path(), &arguments("1/1"));
    let parts = ["1/3", "2/3", "3/3"].map(|shard| fuzz(room.path(), &arguments(shard)));
    let all = || parts.iter().flat_map(|part| part["subjects"].as_array().unwrap());
    for subject in whole["subjects"].as_array().unwrap() {
        let own: Vec<&Value> = all().filter(|part| part["subject"] == subject["subject"]).collect();
        // An epoch of a sound subject each; a defect is one part's alone.
        assert_eq!(own.len(), if subject["health"] == "sound" { 3 } else { 1 });
        for count in ["traces", "ops", "moot", "unsupported"] {
            let sum: u64 = own.iter().map(|part| part[count].as_u64().unwrap()).sum();
            assert_eq!(Some(sum), subject[count].as_u64(), "{count}");
        }
        let findings: Vec<&Value> = own.iter().flat_map(|part| part["findings"].as_array().unwrap()).collect();
        assert_eq!(findings, subject["findings"].as_array().unwrap().iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_corpus_raises_what_a_campaign_begins_with() {
    let (room, first) = whole();
    let corpus = files(&room.path().join("corpus"));
    assert!(100 < corpus.len(), "{} files", corpus.len());
    // A campaign of hardly any ops has seen what the corpus reaches.
    let little = ["brk_heap/hardened", "--seed", "6", "--ops", "1"];
    let without = fuzz(room.path(), &little);
    let with = fuzz(room.path(), &[&little[..], &["--corpus", "corpus"]].concat());
    let features = |run: &Value, index: usize| run["subjects"][index]["features"].as_u64().unwrap();
    assert!(2 * features(&without, 0) < features(&with, 0), "{} and {}", features(&without, 0), features(&with, 0));
    assert!(features(&first, 0) <= features(&with, 0) + 1);
    // What was added is whole.
    memtwin(room.path(), 0, &["corpus", "check", "corpus"]);
}
