//! Findings on disk: written to a temporary file, synced, renamed, so that a file is whole or not there.

use super::CampaignError;
use crate::finding::Signature;
use crate::target::Target;
use crate::trace::Header;
use memtwin_models::Health;
use serde::{Deserialize, Serialize};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How the name of a file begins that is not whole yet.
const UNFINISHED: &str = ".memtwin-";

/// A filed trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Filed {
    /// The file.
    pub path: PathBuf,
    /// The wire bytes.
    #[serde(with = "hex")]
    pub wire: Vec<u8>,
    /// The number of ops.
    pub ops: usize,
}

/// Files a finding of a target below `out`.
pub(crate) fn file_finding(
    out: &Path,
    target: &dyn Target,
    wire: &[u8],
    signature: &Signature,
) -> Result<Filed, CampaignError> {
    let header = Header {
        subject: Some(target.subject().to_owned()),
        expect: Some(signature.to_string()),
        story: match target.health() {
            Health::Sound => None,
            Health::Broken { story, .. } => Some(story.to_owned()),
        },
        ..Header::plain()
    };
    file(out, target, wire, &signature.file_stem(), &header)
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
    let header = Header { subject: Some(target.subject().to_owned()), story: Some(story), ..Header::plain() };
    file(out, target, wire, &format!("unconfirmed-{}", signature.file_stem()), &header)
}

fn file(out: &Path, target: &dyn Target, wire: &[u8], stem: &str, header: &Header) -> Result<Filed, CampaignError> {
    let dialect = target.dialect();
    let path = out.join(dialect.name()).join(format!("{}-{stem}.jsonl", target.subject()));
    let text = dialect.print(wire, header);
    write_atomically(&path, text.as_bytes()).map_err(|source| CampaignError::Write { path: path.clone(), source })?;
    Ok(Filed { path, ops: dialect.op_count(wire), wire: wire.to_vec() })
}

/// Writes a file whole or not at all, and lasting: it is there after a power cut. Folders are made as needed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, true)
}

/// Writes a file whole or not at all. A power cut may take it: for what is also kept elsewhere.
pub(crate) fn write_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, false)
}

fn write(path: &Path, bytes: &[u8], is_lasting: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // As any other file of the user's, not private as temporary files are.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    if is_lasting {
        file.as_file().sync_all()?;
    }
    file.persist(path)?;
    Ok(())
}

/// Deletes what a killed program left unfinished in the folders below this one. Only while no other program writes there.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)?.chain(folders_in(folder)?.iter().flat_map(std::fs::read_dir).flatten()) {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    paths.filter(|path| path.as_ref().is_ok_and(|path| path.is_dir())).collect()
}
