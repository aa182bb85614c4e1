//! Regression runs: committed traces are replayed on every subject that they apply to, each run in a worker of its own,
//! and what became of each is judged beside what the trace, the baseline and the known findings say. It looks for
//! nothing new.

mod judge;
mod run_file;
mod work;

use crate::campaign::{CampaignError, must_be_folder};
use crate::registry::Registry;
use crate::run_file::known::KnownFindings;
use crate::run_file::{RunFile, Status, TraceRun};
use crate::trace::TraceError;
use crate::trace_files::find_traces;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How the names of committed inputs of engines begin; all others in a corpus are this machine's own.
const SEED_PREFIX: &str = "seed-";

/// What a regression run is asked to do.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Trace files, and folders of them. Of a folder, JSON traces and seeds are run: what git keeps.
    pub places: Vec<PathBuf>,
    /// An earlier run.
    pub baseline: Option<&'a RunFile>,
    /// The accepted findings.
    pub known: &'a KnownFindings,
    /// The number of worker processes at a time.
    pub workers: usize,
    /// Where the shrunk traces of new failures are filed.
    pub out: PathBuf,
}

/// What happens during a regression run.
#[derive(Debug)]
pub enum Event<'a> {
    /// So many of all runs are done.
    Progress {
        /// Runs that are done.
        done: usize,
        /// All runs.
        all: usize,
    },
    /// A new failure is about to be shrunk.
    Shrinking {
        /// `component/subject`.
        target: &'a str,
        /// Its signature.
        signature: &'a str,
    },
}

/// Why a regression run could not be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RegressError {
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("no committed trace in {place}: it holds no *.jsonl file and no seed-* file")]
    Nothing { place: PathBuf },
}

/// Runs every trace on every subject that it applies to; nothing when interrupted. The rows are in the order of traces,
/// then of the registry.
pub fn run(
    registry: &Registry,
    plan: &Plan<'_>,
    interrupted: &Arc<AtomicBool>,
    listener: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Option<RunFile>, RegressError> {
    must_be_folder(&plan.out)?;
    let (jobs, mut gone) = work::plan(registry, &traces(&plan.places)?);
    let Some(judged) = work::judge_all(plan, &jobs, interrupted, listener)? else { return Ok(None) };
    gone.extend(gone_since(plan, &jobs, &gone));
    run_file::make(registry, plan, &jobs, &judged, gone, interrupted, listener)
}

/// The traces of all places, each once.
fn traces(places: &[PathBuf]) -> Result<Vec<PathBuf>, RegressError> {
    let mut traces = Vec::new();
    for place in places {
        let found = committed(place)?;
        if found.is_empty() {
            return Err(RegressError::Nothing { place: place.clone() });
        }
        traces.extend(found);
    }
    traces.sort();
    traces.dedup();
    Ok(traces)
}

/// A trace file, or of a folder the files that git keeps: JSON traces and seeds.
///
/// # Errors
/// If the folder cannot be read.
pub fn committed(place: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let mut found = match find_traces(place) {
        Err(TraceError::NoTrace { .. }) => Vec::new(),
        found => found?,
    };
    if found.first().map(PathBuf::as_path) != Some(place) {
        found.retain(|trace| is_committed(trace));
    }
    Ok(found)
}

fn is_committed(trace: &Path) -> bool {
    let is_seed = trace.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(SEED_PREFIX));
    is_seed || trace.extension().is_some_and(|extension| extension == "jsonl")
}

/// What the baseline ran in these places and this run did not.
fn gone_since(plan: &Plan<'_>, jobs: &[work::Job<'_>], gone: &[TraceRun]) -> Vec<TraceRun> {
    let is_here = |run: &&TraceRun| {
        let key = (run.trace.as_str(), run.target.as_str());
        jobs.iter().any(|job| (job.trace_name.as_str(), job.target_name.as_str()) == key)
            || gone.iter().any(|gone| gone.trace == run.trace)
    };
    let is_in_place = |run: &&TraceRun| plan.places.iter().any(|place| Path::new(&run.trace).starts_with(place));
    let earlier = plan.baseline.into_iter().flat_map(|baseline| &baseline.traces);
    let earlier = earlier.filter(|run| !matches!(run.status, Status::Gone | Status::Skipped));
    let missing = earlier.filter(is_in_place).filter(|run| !is_here(run));
    missing
        .map(|run| {
            let reason = if Path::new(&run.trace).exists() {
                "the trace does not apply to this subject any more, or there is no such subject"
            } else {
                "the file is not there any more"
            };
            TraceRun {
                status: Status::Gone,
                unexpected: false,
                seen: None,
                reason: Some(reason.to_owned()),
                ..run.clone()
            }
        })
        .collect()
}
