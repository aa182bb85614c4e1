//! Findings on disk: which file a finding goes to, and what its header says.

use super::CampaignError;
use crate::files::write_atomically;
use crate::finding::Signature;
use crate::target::Target;
use crate::text;
use crate::trace::Header;
use memtwin_models::Health;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A filed trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Filed {
    /// The file.
    pub path: PathBuf,
    /// The wire bytes.
    #[serde(serialize_with = "as_digits", deserialize_with = "of_digits")]
    pub wire: Vec<u8>,
    /// The number of ops.
    pub ops: usize,
    /// The known findings that it goes on behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
}

impl Filed {
    /// Files a finding once more, where another trace with its signature may lie by now.
    pub(super) fn again(&self, out: &Path, target: &dyn Target, signature: &Signature) -> Result<Self, CampaignError> {
        file_finding(out, target, &self.wire, signature, self.known.clone())
    }

    /// Writes the trace where it is to be filed.
    pub(super) fn write(&self, target: &dyn Target, signature: &Signature) -> Result<(), CampaignError> {
        write(&self.path, target, &self.wire, &header(target, signature, self.known.clone()))
    }
}

fn as_digits<S: Serializer>(wire: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text::digits(wire))
}

fn of_digits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let digits = Cow::<'de, str>::deserialize(deserializer)?;
    text::of_digits(&digits).ok_or_else(|| D::Error::custom("bytes that are no pairs of hexadecimal digits"))
}

/// What is found goes below a folder.
pub fn must_be_folder(out: &Path) -> Result<(), CampaignError> {
    if out.exists() && !out.is_dir() { Err(CampaignError::NoFolder { folder: out.to_owned() }) } else { Ok(()) }
}

/// Files a finding of a target below `out`, with the known findings that its trace goes on behind.
pub(crate) fn file_finding(
    out: &Path,
    target: &dyn Target,
    wire: &[u8],
    signature: &Signature,
    known: Vec<String>,
) -> Result<Filed, CampaignError> {
    file(out, target, wire, &signature.file_stem(), &header(target, signature, known))
}

/// A trace of another shape, to be filed by its number beside the one that [`file_finding`] files.
pub(super) fn shape_to_file(
    out: &Path,
    target: &dyn Target,
    wire: Vec<u8>,
    (signature, number): (&Signature, usize),
    known: Vec<String>,
) -> Filed {
    let path = path_of(out, target, &format!("{}-shape-{number}", signature.file_stem()));
    Filed { path, ops: target.dialect().op_count(&wire), wire, known }
}

/// The header of a finding's trace.
fn header(target: &dyn Target, signature: &Signature, known: Vec<String>) -> Header {
    Header {
        expect: Some(signature.to_string()),
        known,
        story: match target.health() {
            Health::Sound => None,
            Health::Broken { story, .. } => Some(story.to_owned()),
        },
        ..Header::of(target.subject(), target.origin())
    }
}

/// Files a trace that failed once and agreed when it ran again, so that what led to it can be looked for.
pub(crate) fn file_unconfirmed(
    out: &Path,
    target: &dyn Target,
    wire: &[u8],
    signature: &Signature,
) -> Result<Filed, CampaignError> {
    let story =
        format!("Failed once as {signature} and agreed on a fresh subject: something outlived an earlier trace.");
    file_with_story(out, target, wire, &format!("unconfirmed-{}", signature.file_stem()), story)
}

/// Files a trace that was not judged, so that it can be run again.
pub(crate) fn file_not_judged(
    out: &Path,
    target: &dyn Target,
    wire: &[u8],
    number: &str,
    why: &str,
) -> Result<Filed, CampaignError> {
    file_with_story(out, target, wire, &format!("not-judged-{number}"), format!("Not judged: {why}."))
}

/// A trace that expects nothing, and why it is worth a look.
fn file_with_story(
    out: &Path,
    target: &dyn Target,
    wire: &[u8],
    stem: &str,
    story: String,
) -> Result<Filed, CampaignError> {
    let header = Header { story: Some(story), ..Header::of(target.subject(), target.origin()) };
    file(out, target, wire, stem, &header)
}

/// Where a trace of a target is filed.
pub(super) fn path_of(out: &Path, target: &dyn Target, stem: &str) -> PathBuf {
    out.join(target.dialect().name()).join(format!("{}-{stem}.jsonl", target.subject()))
}

fn file(out: &Path, target: &dyn Target, wire: &[u8], stem: &str, header: &Header) -> Result<Filed, CampaignError> {
    let path = path_of(out, target, stem);
    write(&path, target, wire, header)?;
    Ok(Filed { path, ops: target.dialect().op_count(wire), wire: wire.to_vec(), known: header.known.clone() })
}

fn write(path: &Path, target: &dyn Target, wire: &[u8], header: &Header) -> Result<(), CampaignError> {
    let text = target.dialect().print(wire, header);
    write_atomically(path, text.as_bytes()).map_err(|source| CampaignError::Write { path: path.to_owned(), source })
}
