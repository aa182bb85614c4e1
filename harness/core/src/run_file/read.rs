//! Reading run files. They come from other machines: whatever is wrong with one is one clear line, and memory is bounded.

use super::{Kind, RunFile, SCHEMA};
use crate::files;
use serde::Deserialize;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest run file that is read, in bytes.
pub const MAX_RUN_FILE_BYTES: u64 = 256 << 20;

/// Why a run file cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunFileError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is larger than {limit} bytes, the most a run file may be")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{path} is no run file: {message}")]
    NotARunFile { path: PathBuf, message: String },
    #[error("{path} has the schema {schema:?}; this memtwin reads {SCHEMA}: use a newer one")]
    Schema { path: PathBuf, schema: String },
}

/// Reads a run file.
pub fn read(path: &Path) -> Result<RunFile, RunFileError> {
    let unreadable = |source| RunFileError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = files::open(path).map_err(unreadable)?;
    file.take(MAX_RUN_FILE_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    if MAX_RUN_FILE_BYTES < text.len() as u64 {
        return Err(RunFileError::TooLarge { path: path.to_owned(), limit: MAX_RUN_FILE_BYTES });
    }
    parse(path, &text)
}

/// Reads the text of a run file; the path is for messages.
pub fn parse(path: &Path, text: &[u8]) -> Result<RunFile, RunFileError> {
    let not_a_run_file = |message: String| RunFileError::NotARunFile { path: path.to_owned(), message };
    // The schema is judged first: a newer one may have fields of other types.
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    let words = |error: serde_json::Error| error.to_string().chars().take(200).collect::<String>();
    let Schema { schema } = serde_json::from_slice(text).map_err(|error| not_a_run_file(words(error)))?;
    if schema != SCHEMA {
        let schema = schema.chars().take(100).collect();
        return Err(RunFileError::Schema { path: path.to_owned(), schema });
    }
    let run: RunFile = serde_json::from_slice(text).map_err(|error| not_a_run_file(words(error)))?;
    let is_nested = run.runs.iter().any(|inner| !inner.runs.is_empty());
    if is_nested || (run.kind == Kind::Merged) == run.runs.is_empty() {
        return Err(not_a_run_file("a merged file, and no other, has the runs that it was merged from".to_owned()));
    }
    Ok(run)
}
