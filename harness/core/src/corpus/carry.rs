//! Seeds and JSON traces through a minimiser that is not ours. libFuzzer's `-merge=1`, which `cargo fuzz cmin` runs,
//! fills a new folder with copies that it names after what they hold, and leaves out what it has no use for; cargo-fuzz
//! then puts that folder in the place of the old one. What a person chose has to be there under its own name.

use super::SEED_PREFIX;
use crate::files::{holds, open, write_atomically};
use crate::trace::JSON_PREFIX;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// How libFuzzer is asked to merge: the first folder is filled with what the others hold.
const MERGE: &str = "-merge=1";

/// After libFuzzer was run with these arguments: puts seeds and JSON traces where it merged to, in place of the copies
/// that it made. Does nothing after anything else than a merge.
pub(crate) fn carry_chosen(arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let (options, folders): (Vec<_>, Vec<_>) =
        arguments.skip(1).partition(|argument| argument.to_string_lossy().starts_with('-'));
    let Some((into, from)) = folders.split_first().filter(|_| options.iter().any(|option| option == MERGE)) else {
        return Ok(());
    };
    let copies = files(std::slice::from_ref(into))?;
    for (path, bytes) in files(from)? {
        let name = path.file_name().unwrap_or_default();
        if !name.to_string_lossy().starts_with(SEED_PREFIX) && !bytes.starts_with(JSON_PREFIX) {
            continue;
        }
        let kept = Path::new(into).join(name);
        if std::fs::symlink_metadata(&kept).is_err() {
            write_atomically(&kept, &bytes)?;
        } else if !holds(&kept, &bytes) {
            // Another one has the name already, and keeps it. cargo-fuzz merges to a new folder, where none has.
            continue;
        }
        let is_copy = |path: &Path| *path != kept && is_libfuzzers(path) && path.exists();
        for (copy, _) in copies.iter().filter(|(path, known)| *known == bytes && is_copy(path)) {
            std::fs::remove_file(copy)?;
        }
    }
    Ok(())
}

/// Whether libFuzzer gave a file its name: the SHA-1 of what it holds.
fn is_libfuzzers(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// The files of folders, and what is in them.
fn files(folders: &[OsString]) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if std::fs::symlink_metadata(&path)?.is_file() {
                let mut bytes = Vec::new();
                open(&path)?.read_to_end(&mut bytes)?;
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

    /// A name as libFuzzer gives it.
    fn sha1(digit: &str) -> String {
        digit.repeat(40)
    }

    fn texts<const N: usize>(files: [(&str, &str); N]) -> BTreeMap<String, String> {
        files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn seeds_and_json_traces_have_their_names_after_a_merge_and_no_copies() {
        let from = folder(&[("seed-one", "1"), ("seed-two", "2"), ("t.jsonl", TRACE), ("0123", "3"), ("4567", "4")]);
        let into = folder(&[(&sha1("a"), "1"), (&sha1("b"), "3"), (&sha1("c"), TRACE)]);
        let merged = after(&["-merge=1", "-runs=0"], &into, &from);
        assert_eq!(merged, texts([(&sha1("b"), "3"), ("seed-one", "1"), ("seed-two", "2"), ("t.jsonl", TRACE)]));
    }

    #[test]
    fn a_json_trace_that_libfuzzer_has_named_before_is_its_own_copy() {
        let files = [(&*sha1("e"), TRACE)];
        assert_eq!(after(&["-merge=1"], &folder(&files), &folder(&files)), texts(files));
    }

    #[test]
    fn what_was_there_before_the_merge_is_neither_changed_nor_deleted() {
        let from = folder(&[("seed-one", "1"), ("seed-two", "2")]);
        let before = [("own", "1"), ("seed-one", "1"), ("seed-two", "another"), (&sha1("d"), "2")];
        let into = folder(&before);
        assert_eq!(after(&["-merge=1"], &into, &from), texts(before));
    }

    #[test]
    fn other_runs_leave_folders_as_they_are() {
        let (from, into) = (folder(&[("seed-one", "1")]), folder(&[("aaaa", "1")]));
        assert_eq!(after(&["-merge=0"], &into, &from).into_keys().collect::<Vec<_>>(), ["aaaa"]);
        assert!(carry_chosen(["program", "-merge=1"].iter().map(OsString::from)).is_ok());
    }
}
