//! How faults are planted: text that stands in a file is replaced. Where it no longer stands there the fault has been
//! outrun by the code, and that is an error.

use std::io;
use std::path::Path;

/// Replaces the only place where a text stands.
pub(super) fn replace(tree: &Path, file: &str, old: &str, new: &str) -> io::Result<()> {
    change(tree, file, |text| {
        let mut parts = text.split(old);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(before), Some(after), None) => Some(format!("{before}{new}{after}")),
            _ => None,
        }
    })
}

/// Takes away all from a text on up to the next place of another, which stays.
pub(super) fn cut(tree: &Path, file: &str, from: &str, to: &str) -> io::Result<()> {
    change(tree, file, |text| {
        let (before, rest) = text.split_once(from)?;
        let at = rest.find(to)?;
        Some(format!("{before}{}", &rest[at..]))
    })
}

/// Adds to the end.
pub(super) fn append(tree: &Path, file: &str, text: &str) -> io::Result<()> {
    change(tree, file, |old| Some(format!("{old}{text}")))
}

/// A new file.
pub(super) fn add(tree: &Path, file: &str, bytes: &[u8]) -> io::Result<()> {
    let path = tree.join(file);
    std::fs::create_dir_all(path.parent().unwrap_or(tree))?;
    std::fs::write(path, bytes)
}

fn change(tree: &Path, file: &str, change: impl FnOnce(&str) -> Option<String>) -> io::Result<()> {
    let path = tree.join(file);
    let text = std::fs::read_to_string(&path).map_err(|error| io::Error::other(format!("{file}: {error}")))?;
    let new = change(&text).ok_or_else(|| io::Error::other(format!("{file} does not hold once what is replaced")))?;
    std::fs::write(path, new)
}
