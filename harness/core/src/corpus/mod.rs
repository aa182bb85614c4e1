//! A corpus: a folder of traces that engines start from, for one component (its name, or that of the nearest folder
//! above, says which) or a folder of such folders. Here they are minimised, merged, checked and rewritten. Committed
//! seeds and JSON traces are never deleted: a person chose them. What no engine wrote for certain is left alone.

mod carry;
#[cfg(feature = "collection")]
mod cover;
#[cfg(feature = "collection")]
mod inputs;
#[cfg(feature = "collection")]
mod upkeep;

use crate::files::{holds, write_unsynced};
use crate::isolate::IsolationError;
use crate::random::hash_bytes;
use crate::registry::Registry;
use crate::trace::TraceError;
use crate::trace_files::{find_traces, load};
pub(crate) use carry::carry_chosen;
#[cfg(feature = "collection")]
pub use inputs::LeftAlone;
use std::io;
use std::path::{Path, PathBuf};
#[cfg(feature = "collection")]
pub use upkeep::{
    Change, Checked, Merged, Migrated, Minimized, Size, Trouble, Unjudged, check, merge, migrate, minimize,
};

/// How the files are named that git keeps.
const SEED_PREFIX: &str = "seed-";

/// Why a corpus tool could not do its work.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CorpusError {
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    #[error("{path} is no folder; corpus tools work on folders")]
    NotAFolder { path: PathBuf },
    #[error("{folder} holds no input of an engine, so there is nothing to check")]
    Nothing { folder: PathBuf },
    #[error(
        "{folder} is a project, because it has a {mark}, and no corpus; name the folder in it that engines write to"
    )]
    Project { folder: PathBuf, mark: &'static str },
    #[error(
        "{folder} looks like no corpus: {foreign} of its files no engine wrote, such as {example}, beside {inputs} \
         that are inputs; name the folder that engines write to, or move the others away"
    )]
    NoCorpus { folder: PathBuf, foreign: usize, example: PathBuf, inputs: usize },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot delete {path}: {source}")]
    Delete { path: PathBuf, source: io::Error },
    #[error("{path} is there already and holds another trace; move it away")]
    Taken { path: PathBuf },
    #[error("{path} is a link, and what it leads to is not overwritten; move it away")]
    Link { path: PathBuf },
    #[error("{component} has no sound subject here, so nothing says what a trace is worth")]
    NoSubject { component: &'static str },
    #[error("{path} is a trace of {component}, which does not belong into {into}")]
    WrongFolder { path: PathBuf, component: &'static str, into: PathBuf },
}

/// The wire bytes of the files of a component's folder that decode, whoever wrote them: they are only read.
pub(crate) fn wires(registry: &Registry, folder: &Path) -> Result<Vec<Vec<u8>>, CorpusError> {
    let files = files(folder)?;
    Ok(files.iter().filter_map(|file| load(registry, file).ok()).map(|input| input.wire).collect())
}

/// Adds an input to a component's folder, under a name made of what it holds: whole, or not at all.
pub(crate) fn add(folder: &Path, wire: &[u8]) -> Result<(), CorpusError> {
    let path = folder.join(short_hash(wire));
    // A power cut may have left a part of it.
    if holds(&path, wire) {
        return Ok(());
    }
    refuse_link(&path)?;
    write_unsynced(&path, wire).map_err(|source| CorpusError::Write { path, source })
}

/// Sixteen hexadecimal digits of FNV-1a: enough to tell the files of one corpus apart.
fn short_hash(wire: &[u8]) -> String {
    format!("{:016x}", hash_bytes(wire))
}

/// Links in a corpus are not ours, and what they lead to even less.
fn refuse_link(path: &Path) -> Result<(), CorpusError> {
    let is_link = path.symlink_metadata().is_ok_and(|there| there.is_symlink());
    if is_link { Err(CorpusError::Link { path: path.to_owned() }) } else { Ok(()) }
}

/// The regular files of a folder that are neither hidden nor documentation.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    let there = std::fs::metadata(folder).map_err(|source| TraceError::Read { path: folder.to_owned(), source })?;
    if !there.is_dir() {
        return Err(CorpusError::NotAFolder { path: folder.to_owned() });
    }
    match find_traces(folder) {
        Err(TraceError::NoTrace { .. }) => Ok(Vec::new()),
        files => Ok(files?),
    }
}
