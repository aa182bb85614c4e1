//! A campaign: subjects, a budget, and what was found. It decides which epochs run, merges their results in order, confirms
//! and deduplicates findings, and files them. It judges nothing and prints nothing: it tells what happens as events.

mod epoch;
mod exhaustive;
mod files;
mod merge;
mod queue;
pub mod run_file;

pub(crate) use epoch::shrink_wire;
pub use exhaustive::{Exhausted, exhaust};
pub(crate) use files::file_finding;
pub use files::{Filed, write_atomically};

use crate::engines::Engine;
use crate::finding::Signature;
use crate::isolate::IsolationError;
use crate::registry::Registry;
use epoch::EpochRunner;
use merge::Ledger;
use queue::{Queue, Task};
use run_file::RunFile;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a campaign runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// This many ops for each sound subject, and at most for each Broken one. Same seed, same findings, for any number of
    /// workers.
    Ops(u64),
    /// This long altogether; sound subjects share what the Broken ones leave. Promises no identity.
    Time(Duration),
    /// Until interrupted.
    Endless,
}

/// What a campaign is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The targets, by their index in the registry.
    pub targets: Vec<usize>,
    /// The seed.
    pub seed: u64,
    /// The budget.
    pub budget: Budget,
    /// The number of worker processes at a time.
    pub workers: usize,
    /// Whether the state is audited after every op.
    pub strict: bool,
    /// Where the traces come from.
    pub engine: Engine,
    /// Where findings are filed.
    pub out: PathBuf,
}

/// What happens during a campaign.
#[derive(Debug)]
pub enum Event<'a> {
    /// A finding was confirmed, shrunk and filed.
    Found {
        /// The target's index in the registry.
        target: usize,
        /// The signature.
        signature: &'a Signature,
        /// The filed trace.
        trace: &'a std::path::Path,
        /// The number of ops of the shrunk trace.
        ops: usize,
        /// Traces up to the finding.
        executions: u64,
        /// From the first fork of a worker to the verdict.
        seconds: f64,
    },
    /// An epoch of a target ended.
    Progress {
        /// The target's index in the registry.
        target: usize,
        /// Ops of this epoch.
        ops: u64,
    },
}

/// Why a campaign could not run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CampaignError {
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    #[error("there are more traces of {depth} ops than can be counted; ask for a smaller depth")]
    TooDeep { depth: u32 },
    #[error("cannot write {path}: {source}; what was found before is kept below {}", .path.parent().unwrap_or(.path).display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// Runs the campaign. When `interrupted` becomes true it stops, keeps what it has, and summarises.
pub fn run(
    registry: &Registry,
    plan: &Plan,
    interrupted: &Arc<AtomicBool>,
    listener: &(dyn Fn(Event<'_>) + Sync),
) -> Result<RunFile, CampaignError> {
    let queue = Queue::new(registry, plan);
    let ledger = Mutex::new(Ledger::new(registry, plan));
    let first_error = Mutex::new(None);
    let work = || -> Result<(), CampaignError> {
        let mut runner = EpochRunner::start(registry, plan, interrupted, listener)?;
        while let Some(task) = queue.next(interrupted) {
            let result = runner.run(&task, &ledger)?;
            listener(Event::Progress { target: task.target, ops: result.counts.ops });
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let needs_no_more = ledger.enter(&task, result);
            queue.give_back(&task, needs_no_more);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..plan.workers.max(1) {
            scope.spawn(|| {
                if let Err(error) = work() {
                    first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    interrupted.store(true, Ordering::Relaxed);
                }
            });
        }
    });
    if let Some(error) = first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let ledger = ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
    ledger.finish(registry, plan)
}
