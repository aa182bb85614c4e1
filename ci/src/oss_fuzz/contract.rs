//! The part of the contract that can be read off the files in $OUT: names, companions, and what is in them. It runs
//! nothing.

use memtwin::models::wire::MAX_WIRE_BYTES;
use sha1::{Digest as _, Sha1};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zip::ZipArchive;

/// By this string in a program the runners know a fuzz target.
const ENTRY: &[u8] = b"LLVMFuzzerTestOneInput";
/// What the image puts beside the targets.
const OF_THE_IMAGE: &[&str] = &["llvm-symbolizer"];
/// Sections of an options file that some runner reads.
const SECTIONS: &[&str] = &["libfuzzer", "asan", "msan", "ubsan", "env"];

/// How the folder breaks the contract: each a line that names the file and says what is wrong with it.
pub(super) fn offences(out: &Path, targets: &BTreeSet<String>) -> io::Result<Vec<String>> {
    let mut offences = Vec::new();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(out)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if OF_THE_IMAGE.contains(&name.as_str()) {
            continue;
        }
        if let Some((target, wrong)) = companion(&path, &name)? {
            if !targets.contains(target) {
                offences.push(format!("{name}: there is no target {target}"));
            }
            offences.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
            continue;
        }
        let wrong = if !is_runnable_name(&name) {
            "runners ignore a target whose name has other characters than letters, digits, _ and -"
        } else if !targets.contains(&name) {
            "there is no such component"
        } else if fs::metadata(&path)?.permissions().mode() & 0o111 == 0 || !has_entry(&path)? {
            "a target is an executable that holds the string LLVMFuzzerTestOneInput"
        } else {
            found.insert(name);
            continue;
        };
        offences.push(format!("{name}: {wrong}"));
    }
    offences.extend(targets.difference(&found).map(|target| format!("{target}: there is no such target")));
    for target in &found {
        for suffix in [SEEDS, OPTIONS] {
            if !out.join(format!("{target}{suffix}")).is_file() {
                offences.push(format!("{target}{suffix}: missing"));
            }
        }
    }
    offences.sort();
    Ok(offences)
}

/// What a target's seeds are called, after its name.
pub(super) const SEEDS: &str = "_seed_corpus.zip";
/// What a target's options are called.
pub(super) const OPTIONS: &str = ".options";
/// What a target's dictionary is called; it need not have one.
pub(super) const DICTIONARY: &str = ".dict";

/// The target that a file goes with and what is wrong with the file; none if it is a target itself, or should be.
fn companion<'a>(path: &Path, name: &'a str) -> io::Result<Option<(&'a str, Vec<String>)>> {
    Ok(if let Some(target) = name.strip_suffix(SEEDS) {
        Some((target, seed_offences(path)?))
    } else if let Some(target) = name.strip_suffix(OPTIONS) {
        Some((target, option_offences(&fs::read_to_string(path)?)))
    } else if let Some(target) = name.strip_suffix(DICTIONARY) {
        Some((target, dictionary_offences(&fs::read_to_string(path)?)))
    } else {
        None
    })
}

fn is_runnable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn has_entry(path: &Path) -> io::Result<bool> {
    let bytes = fs::read(path)?;
    let mut starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == ENTRY[0]);
    Ok(starts.any(|(start, _)| bytes[start..].starts_with(ENTRY)))
}

/// An archive of seeds is flat, not empty, and each seed is named by its SHA-1, as fuzzers name what they keep.
pub(super) fn seed_offences(path: &Path) -> io::Result<Vec<String>> {
    let mut archive = match ZipArchive::new(fs::File::open(path)?) {
        Ok(archive) => archive,
        Err(error) => return Ok(vec![error.to_string()]),
    };
    if archive.is_empty() {
        return Ok(vec!["holds no seed".to_owned()]);
    }
    let mut offences = Vec::new();
    for index in 0..archive.len() {
        let mut seed = archive.by_index(index).map_err(io::Error::other)?;
        let name = seed.name().map_or_else(|_| format!("entry {index}"), Cow::into_owned);
        let mut bytes = Vec::new();
        seed.read_to_end(&mut bytes)?;
        let digest: String = Sha1::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if name.contains('/') {
            offences.push(format!("{name} lies in a folder"));
        } else if name != digest {
            offences.push(format!("{name} is not named by its SHA-1, {digest}"));
        } else if bytes.is_empty() {
            offences.push(format!("{name} is empty"));
        }
    }
    Ok(offences)
}

/// The options of libFuzzer in an options file, as arguments.
pub(super) fn libfuzzer_arguments(text: &str) -> Vec<String> {
    let mut section = "";
    let mut arguments = Vec::new();
    for line in text.lines() {
        match option_line(line) {
            Some(OptionLine::Section(name)) => section = name,
            Some(OptionLine::Pair(key, value)) if section == "libfuzzer" => arguments.push(format!("-{key}={value}")),
            Some(OptionLine::Pair(..) | OptionLine::Nothing) | None => {}
        }
    }
    arguments
}

enum OptionLine<'a> {
    Section(&'a str),
    Pair(&'a str, &'a str),
    Nothing,
}

/// A line of an options file; none if it is not well-formed.
fn option_line(line: &str) -> Option<OptionLine<'_>> {
    let line = line.trim_end();
    if line.is_empty() || line.starts_with(['#', ';']) {
        return Some(OptionLine::Nothing);
    }
    if let Some(name) = line.strip_prefix('[') {
        return name.strip_suffix(']').map(OptionLine::Section);
    }
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim_end(), value.trim_start());
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_key && !value.is_empty()).then_some(OptionLine::Pair(key, value))
}

pub(super) fn option_offences(text: &str) -> Vec<String> {
    let mut offences = Vec::new();
    let mut section = None;
    for (line, number) in text.lines().zip(1..) {
        match option_line(line) {
            Some(OptionLine::Section(name)) => {
                section = Some(name);
                if !SECTIONS.contains(&name) {
                    offences.push(format!("line {number}: no runner reads the section {name}"));
                }
            }
            Some(OptionLine::Pair(..)) if section.is_some() => {}
            Some(OptionLine::Nothing) => {}
            Some(OptionLine::Pair(..)) | None => offences.push(format!("line {number}: {line}")),
        }
    }
    let longest = format!("-max_len={MAX_WIRE_BYTES}");
    if !libfuzzer_arguments(text).contains(&longest) {
        offences.push(format!("[libfuzzer] does not say max_len = {MAX_WIRE_BYTES}, the wire format's limit"));
    }
    offences
}

/// A dictionary's lines are empty, comments, or words in quotes, with a name before them or without.
pub(super) fn dictionary_offences(text: &str) -> Vec<String> {
    let is_line = |line: &str| line.is_empty() || line.starts_with('#') || is_word(line);
    let lines = text.lines().zip(1..).filter(|(line, _)| !is_line(line.trim()));
    lines.map(|(line, number)| format!("line {number}: {line}")).collect()
}

fn is_word(line: &str) -> bool {
    let Some((name, rest)) = line.split_once('"') else { return false };
    let is_named = name.is_empty() || name.strip_suffix('=').is_some_and(|name| is_runnable_name(name.trim()));
    let Some(word) = rest.strip_suffix('"') else { return false };
    let mut bytes = word.bytes();
    while let Some(byte) = bytes.next() {
        let is_fine = match byte {
            b'\\' => match bytes.next() {
                Some(b'\\' | b'"') => true,
                Some(b'x') => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
                _ => false,
            },
            b'"' => false,
            byte => byte.is_ascii_graphic() || byte == b' ',
        };
        if !is_fine {
            return false;
        }
    }
    is_named && !word.is_empty()
}
