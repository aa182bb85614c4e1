//! Seeds and JSON traces through a minimiser that is not ours. libFuzzer's `-merge=1`, which `cargo fuzz cmin` runs, fills a new
//! folder with copies that it names after what they hold, and leaves out what it has no use for; cargo-fuzz then puts that folder
//! in the place of the old one. What a person chose has to be there under its own name.

use super::SEED_PREFIX;
use crate::trace::JSON_PREFIX;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// How libFuzzer is asked to merge: the first folder is filled with what the others hold.
const MERGE: &str = "-merge=1";

/// After libFuzzer was run with these arguments: puts seeds and JSON traces where it merged to, in place of the copies that
/// it made. Does nothing after anything else than a merge.
pub(crate) fn carry_chosen(arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let (options, folders): (Vec<_>, Vec<_>) =
        arguments.skip(1).partition(|argument| argument.to_string_lossy().starts_with('-'));
    let Some((into, from)) = folders.split_first().filter(|_| options.iter().any(|option| option == MERGE)) else {
        return Ok(());
    };
    let mut chosen = Vec::new();
    for (path, bytes) in files(from)? {
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with(SEED_PREFIX) || bytes.starts_with(JSON_PREFIX) {
            chosen.push((Path::new(into).join(name), bytes));
        }
    }
    let copies = files(std::slice::from_ref(into))?;
    // All is there before the first copy goes.
    for (path, bytes) in &chosen {
        std::fs::write(path, bytes)?;
    }
    let is_copy = |path: &PathBuf, bytes: &Vec<u8>| {
        chosen.iter().all(|(kept, _)| kept != path) && chosen.iter().any(|(_, known)| known == bytes)
    };
    copies.iter().filter(|(path, bytes)| is_copy(path, bytes)).try_for_each(|(path, _)| std::fs::remove_file(path))
}

/// The files of folders, and what is in them.
fn files(folders: &[OsString]) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_file() {
                let bytes = std::fs::read(&path)?;
                files.push((path, bytes));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const TRACE: &str = r#"{"memtwin":1}"#;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn after(arguments: &[&str], into: &tempfile::TempDir, from: &tempfile::TempDir) -> BTreeMap<String, String> {
        let words = ["program"].iter().chain(arguments).map(OsString::from);
        carry_chosen(words.chain([into.path().into(), from.path().into()])).unwrap();
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let all = files(&[into.path().into()]).unwrap().into_iter();
        all.map(|(path, bytes)| (name(&path), text(bytes))).collect()
    }

    #[test]
    fn seeds_and_json_traces_have_their_names_after_a_merge_and_no_copies() {
        let from = folder(&[("seed-one", "1"), ("seed-two", "2"), ("t.jsonl", TRACE), ("0123", "3"), ("4567", "4")]);
        let into = folder(&[("aaaa", "1"), ("bbbb", "3"), ("cccc", TRACE)]);
        let merged = after(&["-merge=1", "-runs=0"], &into, &from);
        let expected = [("bbbb", "3"), ("seed-one", "1"), ("seed-two", "2"), ("t.jsonl", TRACE)];
        assert_eq!(merged, expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    }

    #[test]
    fn other_runs_leave_folders_as_they_are() {
        let (from, into) = (folder(&[("seed-one", "1")]), folder(&[("aaaa", "1")]));
        assert_eq!(after(&["-merge=0"], &into, &from).into_keys().collect::<Vec<_>>(), ["aaaa"]);
        assert!(carry_chosen(["program", "-merge=1"].iter().map(OsString::from)).is_ok());
    }
}
