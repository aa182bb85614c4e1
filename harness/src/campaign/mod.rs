//! A campaign: subjects, a budget, and what was found. It decides which epochs run, merges their results in order, confirms
//! and deduplicates findings, and files them. It judges nothing and prints nothing: it tells what happens as events.

mod epoch;
mod files;
mod merge;
pub mod run_file;

pub(crate) use epoch::shrink_wire;
pub(crate) use files::file_finding;
pub use files::{Filed, write_atomically};

use crate::finding::Signature;
use crate::isolate::{IsolationError, monotonic_nanoseconds};
use crate::registry::Registry;
use epoch::EpochRunner;
use merge::Ledger;
use run_file::RunFile;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Ops of an epoch of a sound subject with an op budget: long enough that the fork does not count.
const SOUND_EPOCH_OPS: u64 = 4_000_000;
/// Ops of an epoch of a Broken subject: it ends at the first catch anyway.
const BROKEN_EPOCH_OPS: u64 = 1_000_000;
/// The length of an epoch with a time budget.
const TIMED_EPOCH: Duration = Duration::from_millis(400);

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
    let deadline = match plan.budget {
        Budget::Time(time) => monotonic_nanoseconds().saturating_add(nanoseconds(time)),
        Budget::Ops(_) | Budget::Endless => u64::MAX,
    };
    let queue = Queue { state: Mutex::new(Queued::new(registry, plan)), deadline };
    let ledger = Mutex::new(Ledger::new(registry, plan));
    let first_error = Mutex::new(None);
    let work = || -> Result<(), CampaignError> {
        let mut runner = EpochRunner::start(registry, plan, interrupted, listener)?;
        while !interrupted.load(Ordering::Relaxed) {
            let Some(task) = queue.next(registry, plan) else { return Ok(()) };
            let result = runner.run(&task, &ledger)?;
            listener(Event::Progress { target: task.target, ops: result.counts.ops });
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            if ledger.enter(&task, result) {
                queue.finish(task.target);
            } else {
                queue.release(task.target);
            }
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

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// One epoch of one target.
#[derive(Debug, Clone, Copy)]
struct Task {
    target: usize,
    epoch: u64,
    ops_budget: u64,
    deadline_nanoseconds: u64,
}

/// The epochs that are left. Broken subjects come first and one epoch at a time, for each ends at its first catch.
#[derive(Debug)]
struct Queue {
    state: Mutex<Queued>,
    deadline: u64,
}

#[derive(Debug)]
struct Queued {
    lines: Vec<Line>,
    /// Where the next search for a sound subject begins, so that they take turns.
    turn: usize,
}

#[derive(Debug)]
struct Line {
    target: usize,
    is_sound: bool,
    next_epoch: u64,
    ops_left: u64,
    is_running: bool,
}

impl Queued {
    fn new(registry: &Registry, plan: &Plan) -> Self {
        let ops = match plan.budget {
            Budget::Ops(ops) => ops,
            Budget::Time(_) | Budget::Endless => u64::MAX,
        };
        let line = |&target: &usize| {
            let is_sound = registry.get(target).is_some_and(super::target::Target::is_sound);
            Line { target, is_sound, next_epoch: 0, ops_left: ops, is_running: false }
        };
        Queued { lines: plan.targets.iter().map(line).collect(), turn: 0 }
    }
}

impl Queue {
    fn next(&self, registry: &Registry, plan: &Plan) -> Option<Task> {
        loop {
            let mut queued = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = monotonic_nanoseconds();
            if self.deadline <= now {
                return None;
            }
            let count = queued.lines.len();
            let turn = queued.turn;
            let idle = |line: &Line| 0 < line.ops_left && (line.is_sound || !line.is_running);
            let broken = queued.lines.iter().position(|line| !line.is_sound && idle(line));
            let sound = || {
                (0..count)
                    .map(|step| (turn + step) % count)
                    .find(|&index| queued.lines[index].is_sound && idle(&queued.lines[index]))
            };
            let Some(index) = broken.or_else(sound) else {
                // A Broken subject that is being run may still need another epoch.
                if queued.lines.iter().any(|line| line.is_running && 0 < line.ops_left && !line.is_sound) {
                    drop(queued);
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                return None;
            };
            queued.turn = index + 1;
            let line = &mut queued.lines[index];
            let _ = registry;
            let epoch_ops = match plan.budget {
                Budget::Ops(_) if line.is_sound => SOUND_EPOCH_OPS,
                Budget::Ops(_) => BROKEN_EPOCH_OPS,
                Budget::Time(_) | Budget::Endless => u64::MAX,
            };
            let ops_budget = epoch_ops.min(line.ops_left);
            let task = Task {
                target: line.target,
                epoch: line.next_epoch,
                ops_budget,
                deadline_nanoseconds: match plan.budget {
                    Budget::Ops(_) => u64::MAX,
                    Budget::Time(_) | Budget::Endless => {
                        self.deadline.min(now.saturating_add(nanoseconds(TIMED_EPOCH)))
                    }
                },
            };
            line.next_epoch += 1;
            if line.ops_left != u64::MAX {
                line.ops_left -= ops_budget;
            }
            line.is_running = true;
            return Some(task);
        }
    }

    /// The target needs no more epochs.
    fn finish(&self, target: usize) {
        self.change(target, |line| line.ops_left = 0);
    }

    fn release(&self, target: usize) {
        self.change(target, |line| line.is_running = false);
    }

    fn change(&self, target: usize, change: impl FnOnce(&mut Line)) {
        let mut queued = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = queued.lines.iter_mut().find(|line| line.target == target) {
            change(line);
        }
    }
}
