//! Campaigns that are killed and taken up again, that are done in parts, and that begin with a corpus, from the command
//! line.

use crate::times::remove_times;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
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
    let (head, rest) = log.split_once('\n').unwrap();
    let unknown = sealed(&head.replacen("GM-01", "GM-99", 1));
    for (head, about) in [
        (unknown.as_str(), "guest_memory/GM-99 is no subject of this program"),
        (&head.replacen("\"memtwin_campaign\":2", "\"memtwin_campaign\":1", 1), "version 1 of the log"),
        (&head.replacen("\"memtwin_campaign\":2", "\"memtwin_campaign\":3", 1), "version 3 of the log"),
        (&head.replacen("GM-01", "GM-02", 1), "the line is damaged, and it said what the campaign is"),
        (&head[1..], "the line is damaged, and it said what the campaign is"),
    ] {
        let broken = format!("{head}\n{rest}");
        fs::write(room.path().join(LOG), &broken).unwrap();
        complaint(about);
        assert_eq!(fs::read_to_string(room.path().join(LOG)).unwrap(), broken);
    }
}

/// The line with the checksum that it should have.
fn sealed(line: &str) -> String {
    let object = line.split_once(",\"check\":").unwrap().0;
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let check = format!("{object}}}").bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    format!("{object},\"check\":\"{check:016x}\"}}")
}

#[test]
fn lines_that_are_damaged_doubled_or_shuffled_change_nothing() {
    let (room, run) = whole();
    let log = fs::read(room.path().join(LOG)).unwrap();
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
    let is_epoch = |line: &[u8]| line.windows(8).any(|window| window == b"\"epoch\":");
    let epochs: Vec<usize> = (1..lines.len()).filter(|&line| is_epoch(lines[line])).collect();
    let taken_up = |lines: &[Vec<u8>]| {
        let again = tempfile::tempdir().unwrap();
        fs::create_dir_all(again.path().join("found")).unwrap();
        fs::write(again.path().join(LOG), lines.concat()).unwrap();
        let output = memtwin(again.path(), 0, &["fuzz", "--resume", "--json", "--out", "found"]);
        let mut taken_up: Value = serde_json::from_slice(&output.stdout).unwrap();
        remove_times(&mut taken_up);
        assert_eq!(taken_up, run);
        assert_eq!(without_folder(files(again.path()), again.path()), without_folder(files(room.path()), room.path()));
        String::from_utf8(output.stderr).unwrap()
    };
    let owned = || lines.iter().map(|line| line.to_vec()).collect::<Vec<_>>();

    // Every line twice: findings may be told twice, for an epoch that is run again finds the same.
    let doubled: Vec<Vec<u8>> = [&lines[..], &lines[1..]].concat().iter().map(|line| line.to_vec()).collect();
    let said = taken_up(&doubled);
    assert!(said.contains(" of the log repeats an earlier one and does not count\nand so with 3 more\n"), "{said}");

    let mut shuffled = owned();
    shuffled[1..].reverse();
    assert!(!taken_up(&shuffled).contains(" of the log "));

    for &line in &epochs {
        let mut damaged = owned();
        let middle = damaged[line].len() / 2;
        damaged[line][middle] ^= 1;
        let said = taken_up(&damaged);
        assert!(
            said.contains(&format!("line {} of the log is damaged: what it said is run again", line + 1)),
            "{said}"
        );
    }
    // What lay between the middles of two lines is gone, and both with it.
    let mut torn = owned();
    let (first, second) = (epochs[epochs.len() - 2], epochs[epochs.len() - 1]);
    let (half, other) = (torn[first].len() / 2, torn[second].len() / 2);
    torn[first].truncate(half);
    torn[second].drain(..other);
    assert!(taken_up(&torn).contains(&format!("line {} of the log is damaged", first + 1)));

    // What the corpus was cannot be found out again.
    let opening = (1..lines.len()).find(|&line| lines[line].windows(8).any(|window| window == b"\"opened\"")).unwrap();
    let mut damaged = owned();
    damaged[opening][40] ^= 1;
    fs::write(room.path().join(LOG), damaged.concat()).unwrap();
    let output = memtwin(room.path(), 2, &["fuzz", "--resume", "--out", "found"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("said what the corpus was when the campaign began"));
}

#[test]
fn a_log_is_a_file_of_its_own_and_nothing_else_is_emptied() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    let campaign = ["fuzz", "guest_memory/GM-01", "--seed", "1", "--ops", "1M", "--out", "found"];
    let complains = |about: &str| {
        for arguments in [&campaign[..], &["fuzz", "--resume", "--out", "found"]] {
            let output = memtwin(room.path(), 2, arguments);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(errors.lines().count() == 1 && errors.contains(about), "{arguments:?}: {errors}");
        }
        assert_eq!(fs::read(path("precious")).unwrap(), b"precious");
    };
    fs::write(path("precious"), "precious").unwrap();
    fs::create_dir(path("found")).unwrap();
    std::os::unix::fs::symlink(path("precious"), path(LOG)).unwrap();
    complains("it is a link, not a regular file");
    fs::remove_file(path(LOG)).unwrap();
    nix::unistd::mkfifo(&path(LOG), nix::sys::stat::Mode::S_IRWXU).unwrap();
    complains("it is a FIFO, not a regular file");
    fs::remove_file(path(LOG)).unwrap();
    fs::create_dir(path(LOG)).unwrap();
    complains("it is a folder, not a regular file");
    fs::remove_dir(path(LOG)).unwrap();
    // A new campaign empties an old log only, and no file that has another name too.
    let refused = |about: &str| {
        let errors = memtwin(room.path(), 2, &campaign).stderr;
        assert!(String::from_utf8_lossy(&errors).contains(about), "{}", String::from_utf8_lossy(&errors));
    };
    fs::write(path(LOG), "a diary\n").unwrap();
    refused("no campaign wrote it");
    assert_eq!(fs::read(path(LOG)).unwrap(), b"a diary\n");
    fs::remove_file(path(LOG)).unwrap();
    memtwin(room.path(), 0, &campaign);
    fs::hard_link(path(LOG), path("kept")).unwrap();
    let kept = fs::read(path("kept")).unwrap();
    refused("has another name");
    assert_eq!(fs::read(path("kept")).unwrap(), kept);
    fs::remove_file(path("kept")).unwrap();
    memtwin(room.path(), 0, &campaign);
    // The folder itself.
    let output = memtwin(room.path(), 2, &["fuzz", "guest_memory/GM-01", "--ops", "1M", "--out", "precious"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write below precious: it is a file"));
}

/// Runs a campaign without end and does this to its folder when it has begun; it must end with an error.
fn while_it_runs(change: impl FnOnce(&Path), signal: Option<Signal>) {
    let room = tempfile::tempdir().unwrap();
    let mut command = Command::new(MEMTWIN);
    command.args(["fuzz", "brk_heap", "--seed", "1", "--time", "0", "--workers", "1", "--out", "found"]);
    command.current_dir(room.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    told.read_line(&mut first).unwrap();
    change(&room.path().join("found"));
    if let Some(signal) = signal {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    }
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{rest}{errors}");
    let about = "found/.campaign.jsonl was removed or replaced while the campaign ran";
    assert!(errors.contains(about) && errors.lines().count() == 1 && !rest.contains("is saved"), "{rest}{errors}");
}

#[test]
fn a_folder_that_is_taken_away_ends_the_campaign() {
    while_it_runs(|found| fs::remove_dir_all(found).unwrap(), None);
    while_it_runs(|found| fs::remove_dir_all(found).unwrap(), Some(Signal::SIGINT));
    while_it_runs(|found| fs::rename(found, found.with_file_name("elsewhere")).unwrap(), None);
    let replace = |found: &Path| {
        let log = found.join(".campaign.jsonl");
        fs::copy(&log, found.join("copy")).unwrap();
        fs::rename(found.join("copy"), log).unwrap();
    };
    while_it_runs(replace, Some(Signal::SIGINT));
}

#[test]
fn what_killed_campaigns_left_is_swept_and_nothing_else() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    for folder in ["found/.memtwin-folder", "found/brk_heap", "corpus/brk_heap", "elsewhere"] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    std::os::unix::fs::symlink(path("elsewhere"), path("found/guest_memory")).unwrap();
    let left = [
        "found/.memtwin-aaaaaa",
        "found/brk_heap/.memtwin-bbbbbb",
        "corpus/.memtwin-cccccc",
        "corpus/brk_heap/.memtwin-dddddd",
    ];
    let foreign = ["elsewhere/.memtwin-eeeeee", "found/.memtwin-notes", "found/.memtwin-folder/.memtwin-ffffff"];
    let write = || left.iter().chain(&foreign).for_each(|name| fs::write(path(name), "").unwrap());
    let is_swept = || {
        left.iter().for_each(|name| assert!(!path(name).exists(), "{name}"));
        foreign.iter().for_each(|name| assert!(path(name).exists(), "{name}"));
    };
    write();
    fuzz(room.path(), &["brk_heap", "--seed", "1", "--ops", "1", "--corpus", "corpus"]);
    is_swept();
    write();
    fuzz(room.path(), &["--resume"]);
    is_swept();
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
