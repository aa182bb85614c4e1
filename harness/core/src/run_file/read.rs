//! Reading run files. They come from other machines: whatever is wrong with one is one clear line, and memory is
//! bounded.

use super::{Kind, RunFile, SCHEMA, SubjectRun, Totals, tame};
use crate::files;
use crate::limits::{RUN_FILE_BYTES, RUN_FINDINGS, RUN_MEMORY_BYTES, RUN_NAME_BYTES, RUN_SHORTFALLS, RUN_SUBJECTS};
use serde::Deserialize;
use std::io::Read as _;
use std::path::{Path, PathBuf};

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

/// Reads a run file. Its texts are tame.
pub fn read(path: &Path) -> Result<RunFile, RunFileError> {
    let unreadable = |source| RunFileError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = files::open(path).map_err(unreadable)?;
    file.take(RUN_FILE_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    if RUN_FILE_BYTES < text.len() as u64 {
        return Err(RunFileError::TooLarge { path: path.to_owned(), limit: RUN_FILE_BYTES });
    }
    parse(path, &text)
}

/// Reads the text of a run file; the path is for messages. Its texts are tame, and its totals are those of its parts,
/// whatever it says of them.
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
    let mut run = tame::from_json(text, RUN_MEMORY_BYTES).map_err(|error| not_a_run_file(words(error)))?;
    let is_nested = run.runs.iter().any(|inner| !inner.runs.is_empty());
    if is_nested || (run.kind == Kind::Merged) == run.runs.is_empty() {
        return Err(not_a_run_file("a merged file, and no other, has the runs that it was merged from".to_owned()));
    }
    if let Some(excess) = excess(&run) {
        return Err(not_a_run_file(excess));
    }
    for part in &mut run.runs {
        part.totals = Totals::of(&part.subjects, &part.traces);
    }
    run.totals = Totals::of(&run.subjects, &run.traces);
    Ok(run)
}

/// What there is too much of in a run and in those that were merged into it.
pub(super) fn excess(run: &RunFile) -> Option<String> {
    let subjects = || std::iter::once(run).chain(&run.runs).flat_map(|run| &run.subjects);
    let sum = |part: fn(&SubjectRun) -> usize| subjects().map(part).sum::<usize>();
    let counts = [
        (subjects().count(), RUN_SUBJECTS, "subjects"),
        (sum(|subject| subject.findings.len()), RUN_FINDINGS, "findings"),
        (sum(|subject| subject.shortfalls.len()), RUN_SHORTFALLS, "shortfalls"),
    ];
    let is_long = |name: &String| RUN_NAME_BYTES < name.len();
    if let Some((count, most, what)) = counts.iter().find(|(count, most, _)| most < count) {
        return Some(format!("it has {count} {what}; a run file has at most {most}"));
    }
    let has_long = subjects().any(|subject| is_long(&subject.component) || is_long(&subject.subject));
    has_long.then(|| format!("a name of a subject has more than {RUN_NAME_BYTES} bytes"))
}
