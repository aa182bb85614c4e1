//! A campaign: subjects, a budget, and what was found. It decides which epochs run, merges their results in order,
//! confirms and deduplicates findings, and files them. It judges nothing and prints nothing: it tells what happens as
//! events.

mod before;
mod earlier;
mod epoch;
mod exhaustive;
mod files;
mod ledger;
mod log;
mod opening;
mod patience;
mod plan;
mod queue;
mod result;
pub mod run_file;
mod shapes;
mod tally;

#[cfg(feature = "collection")]
pub(crate) use epoch::met;
pub(crate) use epoch::shrink_wire;
pub use exhaustive::{Exhausted, exhaust};
pub(crate) use files::file_finding;
pub use files::{Filed, must_be_folder};
pub(crate) use patience::Patience;
pub use plan::{Budget, Plan, Shard};

use crate::corpus::CorpusError;
use crate::feedback::Kept;
use crate::finding::Signature;
use crate::isolate::IsolationError;
use crate::registry::Registry;
use crate::target::Dialect;
use crate::threads::in_threads;
use before::FiledBefore;
use epoch::EpochRunner;
use ledger::{Entered, Ledger};
pub use log::Damage;
use log::{Log, Past};
use opening::Inputs;
use queue::{Queue, Task};
use result::EpochResult;
use run_file::RunFile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
        /// How many earlier traces are part of the trace, because it did not fail without the state that they left.
        earlier_traces: u32,
    },
    /// A trace was not judged: something outside of memtwin ended its workers, or it took too long.
    NotJudged {
        /// The target's index in the registry.
        target: usize,
        /// The filed trace.
        trace: &'a std::path::Path,
        /// Why.
        why: &'a str,
    },
    /// The corpus of a target was run.
    Opened {
        /// The target's index in the registry.
        target: usize,
        /// How many of its traces reach something that smaller ones do not.
        kept: usize,
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
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    #[error("there are more traces of {depth} ops than can be counted; ask for a smaller depth")]
    TooDeep { depth: u32 },
    #[error("cannot write {path}: {source}; what was found before is kept below {}", .path.parent().unwrap_or(.path).display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot write below {folder}: it is a file, and --out names a folder")]
    NoFolder { folder: PathBuf },
    #[error(
        "nothing to run: the op budget leaves no epoch and no Broken subject for shard {shard}; give more ops, or \
         fewer shards"
    )]
    EmptyShard { shard: String },
    #[error("cannot keep a campaign's log in {path}: {source}; move it away, or name another --out")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{path} was removed or replaced while the campaign ran, so it ends here and cannot be taken up")]
    Gone { path: PathBuf },
    #[error("cannot make the folder {path}: {source}; name another --out")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("there is no campaign in {folder} to take up; name the folder that was its --out")]
    NoCampaign { folder: PathBuf },
    #[error("another campaign runs in {folder}; give this one an --out of its own")]
    Taken { folder: PathBuf },
    #[error("{path}:{line}: {message}; the campaign cannot be taken up, and its findings stay where they are")]
    Log { path: PathBuf, line: usize, message: String },
}

/// A campaign that has not run to its end.
#[derive(Debug)]
pub struct Campaign<'a> {
    registry: &'a Registry,
    plan: Plan,
    log: Option<Log>,
    past: Past,
    /// What runs before this campaign filed; its own files are no older runs'.
    before: FiledBefore,
}

/// Runs a campaign from its beginning. When `interrupted` becomes true it stops, keeps what it has, and summarises.
pub fn run(
    registry: &Registry,
    plan: &Plan,
    interrupted: &Arc<AtomicBool>,
    listener: &(dyn Fn(Event<'_>) + Sync),
) -> Result<RunFile, CampaignError> {
    Campaign::begin(registry, plan.clone())?.run(interrupted, listener)
}

impl<'a> Campaign<'a> {
    /// A new campaign.
    pub fn begin(registry: &'a Registry, plan: Plan) -> Result<Self, CampaignError> {
        must_be_folder(&plan.out)?;
        let mut own = plan.clone();
        own.keep_own(registry);
        if plan.shard != Shard::WHOLE && Queue::new(registry, &own, &BTreeSet::new(), Duration::ZERO).is_empty() {
            return Err(CampaignError::EmptyShard { shard: plan.shard.into() });
        }
        let log = plan.log.then(|| Log::begin(registry, &plan)).transpose()?;
        sweep(registry, &plan);
        let before = FiledBefore::read(registry, &own);
        Ok(Campaign { registry, plan, log, past: Past::default(), before })
    }

    /// Takes up the campaign that was killed or interrupted in this folder. With an op budget its end is as if nothing
    /// had happened, but for times.
    pub fn take_up(registry: &'a Registry, out: &Path, workers: usize) -> Result<Self, CampaignError> {
        let (log, plan, past) = Log::take_up(registry, out)?;
        sweep(registry, &plan);
        Ok(Campaign { registry, plan: Plan { workers, ..plan }, log: Some(log), past, before: FiledBefore::default() })
    }

    /// What it was asked to do.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many epochs earlier runs have done.
    #[must_use]
    pub fn epochs_done(&self) -> usize {
        self.past.epochs.len()
    }

    /// The lines of its log that do not count.
    #[must_use]
    pub fn damage(&self) -> &Damage {
        &self.past.damage
    }

    /// Runs what is left. When `interrupted` becomes true it stops, keeps what it has, and summarises.
    pub fn run(
        self,
        interrupted: &Arc<AtomicBool>,
        listener: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<RunFile, CampaignError> {
        let Campaign { registry, mut plan, log, past, before } = self;
        let log = log.as_ref();
        plan.keep_own(registry);
        let plan = &plan;
        let done = past.epochs.iter().map(|(target, own, _)| (*target, *own)).collect();
        let queue = Queue::new(registry, plan, &done, past.elapsed);
        let mut ledger = Ledger::new(registry, plan);
        let opened: Vec<usize> = past.openings.iter().map(|(target, _)| *target).collect();
        past.openings.into_iter().for_each(|(target, opening)| ledger.open(target, opening));
        for (target, own, result) in past.epochs {
            let Entered { needs_no_more, new } = ledger.enter(target, own, result, |_| Ok(()))?;
            // The kill may have come between the log and the corpus.
            opening::save(registry, plan, target, &new)?;
            if needs_no_more {
                queue.close(target);
            }
        }
        past.found.into_iter().for_each(|(target, found)| ledger.note_told(target, found));
        let ledger = Mutex::new(ledger);
        let lock = || ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || EpochRunner::start(plan, log, &before, interrupted, listener);
        let stop = || interrupted.store(true, Ordering::Relaxed);

        if let Some(folder) = &plan.corpus {
            let inputs = Inputs::read(registry, plan, folder)?;
            let left: Vec<usize> = plan.targets.iter().copied().filter(|target| !opened.contains(target)).collect();
            let next = AtomicUsize::new(0);
            in_threads::<CampaignError>(plan.workers, stop, || {
                let mut runner = start()?;
                while let Some(&index) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some(target) = registry.get(index).filter(|target| target.is_sound()) else { continue };
                    let Some(opening) = opening::run(&mut runner, index, target, &inputs)? else { break };
                    log.map_or(Ok(()), |log| log.opened(target, &opening))?;
                    listener(Event::Opened { target: index, kept: opening.kept.len() });
                    lock().open(index, opening);
                }
                Ok(())
            })?;
        }
        // What an interrupt cut short says nothing yet of what an undisturbed campaign keeps. Where its end is
        // promised, the log has what is whole, for whoever takes it up.
        let is_promised = log.is_some() && matches!(plan.budget, Budget::Ops(_));
        let save = |target: usize, kept: &[Kept]| {
            let waits = is_promised && interrupted.load(Ordering::Relaxed);
            if waits { Ok(()) } else { opening::save(registry, plan, target, kept) }
        };
        in_threads::<CampaignError>(plan.workers, stop, || {
            let mut runner = start()?;
            while let Some(task) = queue.next(interrupted) {
                let Some(target) = registry.get(task.target) else { continue };
                let result = runner.run(&task, target, &ledger)?;
                let ops = result.tally.ops();
                // An epoch that was interrupted counts in this summary only; it is run again when the campaign is taken
                // up.
                let log = log.filter(|_| !interrupted.load(Ordering::Relaxed));
                let write = |result: &EpochResult| log.map_or(Ok(()), |log| log.epoch(target, task.own, result));
                let Entered { needs_no_more, new } = lock().enter(task.target, task.own, result, write)?;
                queue.give_back(&task, needs_no_more);
                save(task.target, &new)?;
                listener(Event::Progress { target: task.target, ops });
            }
            Ok(())
        })?;
        log.map_or(Ok(()), Log::must_be_there)?;
        let mut ledger = ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (target, kept) in ledger.unshared() {
            save(target, &kept)?;
        }
        ledger.finish(registry, plan)
    }
}

/// Deletes what killed programs left unfinished where this campaign writes.
fn sweep(registry: &Registry, plan: &Plan) {
    for folder in [Some(&plan.out), plan.corpus.as_ref()].into_iter().flatten() {
        crate::files::sweep(folder, registry.dialects().map(Dialect::name));
    }
}
