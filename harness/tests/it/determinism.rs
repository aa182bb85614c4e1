//! Same seed, same op budget: the same campaign, for any number of workers. The run files are equal but for times, and
//! the filed traces are equal byte for byte.

use crate::times::remove_times;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The run file without times, and the filed traces by their relative paths.
fn campaign(workers: &str) -> (Value, BTreeMap<PathBuf, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_memtwin"))
        .args(["fuzz", "guest_memory", "--broken", "--seed", "7", "--ops", "3M", "--json", "--out", "finds"])
        .args(["--workers", workers])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut run: Value = serde_json::from_slice(&output.stdout).unwrap();
    remove_times(&mut run);
    let mut files = BTreeMap::new();
    read_files(folder.path(), folder.path(), &mut files);
    (run, files)
}

fn read_files(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(root, &path, files);
        } else if !path.ends_with(".campaign.jsonl") {
            // The log has times in it.
            files.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_campaign_does_not_depend_on_the_number_of_workers() {
    let (one, files_of_one) = campaign("1");
    let (two, files_of_two) = campaign("2");
    assert!(15 < files_of_one.len(), "hardly anything was found, so hardly anything is compared");
    assert_eq!(one["totals"], two["totals"]);
    for (left, right) in one["subjects"].as_array().unwrap().iter().zip(two["subjects"].as_array().unwrap()) {
        assert_eq!(left, right);
    }
    assert_eq!(one, two);
    assert_eq!(files_of_one.keys().collect::<Vec<_>>(), files_of_two.keys().collect::<Vec<_>>());
    assert_eq!(files_of_one, files_of_two);
}
