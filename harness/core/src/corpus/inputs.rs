//! Which files of a folder are inputs, by their names and by what they hold: only what an engine or we wrote for
//! certain may be deleted, rewritten or renamed. All else is left alone, and a folder with more of that than of inputs
//! is no corpus.

use super::{CorpusError, SEED_PREFIX, files, short_hash};
use crate::files::open;
use crate::registry::Registry;
use crate::trace::{JSON_PREFIX, TraceError};
use crate::trace_files::{Loaded, load};
use memtwin_models::wire::{MAX_WIRE_BYTES, Version};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What lies at the top of a project, and of no corpus.
const OF_PROJECTS: [&str; 2] = [".git", "Cargo.toml"];
/// The hexadecimal digits of the names that we give, and of those of libFuzzer, which are SHA-1.
const OUR_DIGITS: usize = 16;
const LIBFUZZER_DIGITS: usize = 40;
/// AFL++ numbers its inputs: `id:000012,src:000003,…`.
const AFL_PREFIX: &str = "id:";
const AFL_DIGITS: usize = 6;

/// The files that a corpus tool leaves alone, because no engine wrote them for certain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LeftAlone {
    pub files: usize,
    pub example: Option<PathBuf>,
}

/// A folder, as a corpus tool sees it.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    pub(super) decoded: Vec<Loaded>,
    /// Inputs by their names that do not decode.
    pub(super) unreadable: Vec<TraceError>,
    pub(super) left_alone: LeftAlone,
}

impl Inputs {
    /// Reads a folder, whatever lies in it.
    pub(super) fn read(registry: &Registry, folder: &Path) -> Result<Self, CorpusError> {
        let mut inputs = Inputs::default();
        for file in files(folder)? {
            if !is_input(&file) {
                inputs.left_alone.add(file);
                continue;
            }
            match load(registry, &file) {
                Ok(input) => inputs.decoded.push(input),
                Err(error) => inputs.unreadable.push(error),
            }
        }
        Ok(inputs)
    }

    /// Reads a folder that is to be changed, or to be taken from. One that looks like something else is refused.
    pub(super) fn of_corpus(registry: &Registry, folder: &Path) -> Result<Self, CorpusError> {
        if let Some(mark) = OF_PROJECTS.into_iter().find(|mark| folder.join(mark).symlink_metadata().is_ok()) {
            return Err(CorpusError::Project { folder: folder.to_owned(), mark });
        }
        let inputs = Self::read(registry, folder)?;
        let found = inputs.decoded.len() + inputs.unreadable.len();
        match inputs.left_alone {
            LeftAlone { files, example: Some(example) } if found < files => {
                Err(CorpusError::NoCorpus { folder: folder.to_owned(), foreign: files, example, inputs: found })
            }
            _ => Ok(inputs),
        }
    }
}

impl LeftAlone {
    fn add(&mut self, file: PathBuf) {
        self.files += 1;
        self.example.get_or_insert(file);
    }

    /// Those of two folders.
    pub(super) fn and(self, other: LeftAlone) -> LeftAlone {
        LeftAlone { files: self.files + other.files, example: self.example.or(other.example) }
    }
}

/// Whether an engine or we wrote a file for certain. A file that cannot be read is nobody's.
fn is_input(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let mut bytes = Vec::new();
    let most_bytes = MAX_WIRE_BYTES as u64 + 1;
    if open(path).and_then(|file| file.take(most_bytes).read_to_end(&mut bytes)).is_err() {
        return false;
    }
    let is_json = bytes.starts_with(JSON_PREFIX);
    if name.ends_with(".jsonl") || name.ends_with(".json") {
        return is_json;
    }
    let begins_well = bytes.first().is_none_or(|&first| first == Version::of(first) as u8) || is_json;
    let is_hexadecimal = name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    // Engines keep inputs with any first byte. Where one does not begin as wire bytes do, its name has to be proof
    // enough.
    match name.len() {
        OUR_DIGITS if is_hexadecimal => begins_well || name == short_hash(&bytes),
        LIBFUZZER_DIGITS if is_hexadecimal => begins_well || name == sha1_smol::Sha1::from(&bytes).digest().to_string(),
        _ if name.starts_with(SEED_PREFIX) => begins_well,
        _ => is_afls(name),
    }
}

fn is_afls(name: &str) -> bool {
    let Some((number, rest)) = name.strip_prefix(AFL_PREFIX).and_then(|name| name.split_at_checked(AFL_DIGITS)) else {
        return false;
    };
    number.bytes().all(|digit| digit.is_ascii_digit()) && (rest.is_empty() || rest.starts_with(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = b"{\"memtwin\":1}";
    /// What `sha1sum` says of `abc`.
    const SHA1: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

    #[test]
    fn an_input_is_known_by_its_name_and_by_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let is_input = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let is_input = is_input(&path);
            std::fs::remove_file(path).unwrap();
            is_input
        };
        let ours = short_hash(b"abc");
        for (name, bytes) in [
            ("0123456789abcdef", &[1, 2][..]),
            ("0123456789abcdef", &[2, 0]),
            ("0123456789abcdef", b""),
            ("0123456789abcdef", TRACE),
            (&ours, b"abc"),
            (&"0".repeat(40), &[1]),
            (&"0".repeat(40), TRACE),
            (SHA1, b"abc"),
            ("id:000012", b"abc"),
            ("id:000012,src:000003,time:12,execs:9,op:havoc,rep:2,+cov", b"\0"),
            ("seed-one", &[1]),
            ("t.jsonl", TRACE),
            ("t.json", TRACE),
        ] {
            assert!(is_input(name, bytes), "{name}");
        }
        for (name, bytes) in [
            ("0123456789abcdef", &b"abc"[..]),
            ("0123456789ABCDEF", &[1]),
            ("0123456789abcdef", &[3]),
            ("0123456789abcde", &[1]),
            (&"0".repeat(40), b"abc"),
            (&SHA1.to_uppercase(), b"abc"),
            ("id:12", &[1]),
            ("id:00001x", &[1]),
            ("id:000012.txt", &[1]),
            ("id_rsa", &[1]),
            ("seed-data.txt", b"text"),
            ("t.jsonl", &[1]),
            ("t.json", b"{}"),
            ("0123456789abcdef.jsonl", &[1]),
            ("mod.rs", TRACE),
            ("main.rs", b"//! text"),
            ("fuzzer_stats", &[1]),
        ] {
            assert!(!is_input(name, bytes), "{name}");
        }
        assert!(!super::is_input(&folder.path().join("nowhere")));
    }
}
