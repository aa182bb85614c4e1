//! The work of a regression run: which trace runs on which subject, and running it all in parallel. What it returns
//! depends on the jobs alone, not on which worker did which.

use super::judge::{Earlier, Judged, RERUNS, Seen, is_as_expected};
use super::{Event, Plan, RegressError};
use crate::accepted::Accepted;
use crate::campaign::CampaignError;
use crate::finding::{Ending, Step};
use crate::isolate::{Isolation, IsolationError};
use crate::lockstep::Audits;
use crate::registry::Registry;
use crate::run_file::{RunFile, Status, TraceRun};
use crate::target::Target;
use crate::threads::in_threads;
use crate::trace::TraceError;
use crate::trace_files::{Loaded, load};
use crate::vacuity;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One trace on one subject.
pub(super) struct Job<'a> {
    pub(super) loaded: Arc<Loaded>,
    /// The target's index in the registry.
    pub(super) index: usize,
    pub(super) target: &'a dyn Target,
    pub(super) trace_name: String,
    pub(super) target_name: String,
    /// What the trace goes on behind.
    pub(super) accepted: Accepted,
}

impl Job<'_> {
    /// The signature that the trace's header expects of this subject.
    pub(super) fn expected(&self) -> Option<&str> {
        let is_own = self.loaded.header.subject.as_deref() == Some(self.target.subject());
        self.loaded.header.expect.as_deref().filter(|_| is_own)
    }
}

/// Each trace on the subject that it names and on every sound one; and the traces that apply to nothing.
pub(super) fn plan<'a>(registry: &'a Registry, traces: &[PathBuf]) -> (Vec<Job<'a>>, Vec<TraceRun>) {
    let (mut jobs, mut gone) = (Vec::new(), Vec::new());
    for path in traces {
        let trace_name = path.display().to_string();
        let not_run = |target: String, unexpected: bool, reason: String| TraceRun {
            trace: trace_name.clone(),
            target,
            status: Status::Gone,
            unexpected,
            expected: None,
            seen: None,
            reason: Some(reason),
        };
        let loaded = match load(registry, path) {
            Ok(loaded) => Arc::new(loaded),
            // A program of one's own has no use for traces of components that it does not have.
            Err(error) => {
                let is_foreign = matches!(error, TraceError::Component { .. } | TraceError::NotATrace { .. });
                gone.push(not_run(String::new(), !is_foreign, error.to_string()));
                continue;
            }
        };
        let component = loaded.dialect.name();
        let own = loaded.header.subject.as_deref();
        if let Some(own) = own.filter(|own| registry.index_of(component, own).is_none()) {
            gone.push(not_run(format!("{component}/{own}"), false, "there is no such subject".to_owned()));
        }
        let of_component = registry.targets().enumerate().filter(|(_, target)| target.dialect().name() == component);
        for (index, target) in of_component.filter(|(_, target)| target.is_sound() || own == Some(target.subject())) {
            let (trace_name, target_name) = (trace_name.clone(), target.name());
            let accepted = registry.accepted(index, &loaded.header);
            jobs.push(Job { loaded: Arc::clone(&loaded), index, target, trace_name, target_name, accepted });
        }
    }
    (jobs, gone)
}

/// Runs and judges every job; nothing when interrupted.
pub(super) fn judge_all(
    plan: &Plan<'_>,
    jobs: &[Job<'_>],
    interrupted: &Arc<AtomicBool>,
    listener: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Option<Vec<Judged>>, RegressError> {
    let rows = plan.baseline.into_iter().flat_map(|baseline| &baseline.traces);
    let earlier: BTreeMap<_, _> = rows.map(|row| ((row.trace.as_str(), row.target.as_str()), row)).collect();
    let found: BTreeSet<(String, &str)> = plan
        .baseline
        .into_iter()
        .flat_map(RunFile::findings)
        .map(|(subject, finding)| (subject.name(), finding.signature.as_str()))
        .collect();
    let judged: Vec<Mutex<Option<Judged>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> Result<(), IsolationError> {
        let mut isolation = Isolation::start(Arc::clone(interrupted))?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((job, place)) = jobs.get(number).zip(judged.get(number)) else { return Ok(()) };
            let Some(judged) = run_job(&mut isolation, job)? else { return Ok(()) };
            let row = earlier.get(&(job.trace_name.as_str(), job.target_name.as_str()));
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(Judged {
                known: failed(&judged.seen).and_then(|signature| plan.known.reason(&job.target_name, signature)),
                expired: failed(&judged.seen)
                    .and_then(|signature| plan.known.expired(&job.target_name, signature))
                    .map(|entry| format!("accepted until {}: {}", entry.until, entry.reason)),
                expected: job.expected().map(str::to_owned),
                // A trace that the baseline did not run may show what it found with another one.
                earlier: row.map(|row| Earlier::of(row)).or_else(|| {
                    let signature = failed(&judged.seen)?;
                    let is_found = found.contains(&(job.target_name.clone(), signature));
                    is_found.then(|| Earlier::Failed(signature.to_owned()))
                }),
                is_sound: job.target.is_sound(),
                ..judged
            });
            listener(Event::Progress { done: done.fetch_add(1, Ordering::Relaxed) + 1, all: jobs.len() });
        }
    };
    let stop = || next.store(jobs.len(), Ordering::Relaxed);
    in_threads(plan.workers.min(jobs.len()), stop, work).map_err(CampaignError::from)?;
    Ok(judged.into_iter().map(|judged| judged.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
}

/// The signature that the first run failed with.
fn failed(seen: &[Seen]) -> Option<&str> {
    match seen.first() {
        Some(Seen::Failed(signature)) => Some(signature),
        Some(Seen::Agreed | Seen::Moot(_) | Seen::Unjudged(_)) | None => None,
    }
}

/// One run; if it is not as expected, some more. Nothing when interrupted.
fn run_job(isolation: &mut Isolation, job: &Job<'_>) -> Result<Option<Judged>, IsolationError> {
    let mut judged = Judged::default();
    isolation.accept(&job.accepted);
    for _ in 0..=RERUNS {
        let ending = isolation.replay(job.index, &job.loaded.wire, Audits::Full).map_err(|error| named(job, error))?;
        let Some(ending) = ending else { return Ok(None) };
        if judged.seen.is_empty() {
            (judged.step, judged.ops) = extent(job, &ending);
        }
        let Loaded { dialect, wire, .. } = &*job.loaded;
        let seen = match (vacuity::of_one(&ending, dialect.op_count(wire) as u64, isolation.skipped()), ending) {
            (None, Ending::Failed(failure)) => Seen::Failed(dialect.signature(wire, &failure).to_string()),
            (None, Ending::Moot { op, reason }) => Seen::Moot(format!("from op {op} on: {reason}")),
            (None, Ending::Agreed) => Seen::Agreed,
            (Some(why), _) => Seen::Unjudged(why),
            (None, Ending::Unsupported(reason)) => Seen::Unjudged(reason),
        };
        let is_enough = judged.seen.is_empty() && is_as_expected(&seen, job.expected());
        judged.seen.push(seen);
        if is_enough {
            break;
        }
    }
    Ok(Some(judged))
}

/// Says which of many traces was not judged.
fn named(job: &Job<'_>, error: IsolationError) -> IsolationError {
    let IsolationError::NotJudged { why } = error else { return error };
    IsolationError::NotJudged { why: format!("{} on {}: {why}", job.trace_name, job.target_name) }
}

/// The op at which a run failed, and how many ops it carried out.
fn extent(job: &Job<'_>, ending: &Ending) -> (Option<usize>, usize) {
    let all = || job.loaded.dialect.op_count(&job.loaded.wire);
    match ending {
        Ending::Agreed | Ending::Moot { .. } => (None, all()),
        Ending::Unsupported(_) => (None, 0),
        Ending::Failed(failure) => match failure.step {
            Step::Construct => (None, 0),
            Step::Op(index) => (Some(index as usize), index as usize + 1),
            Step::Audit | Step::Teardown => (None, all()),
        },
    }
}
