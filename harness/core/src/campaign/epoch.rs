//! One epoch: batches on one target from a seed of its own, each failure confirmed on a fresh subject, the first of its
//! signature shrunk and filed. What it returns depends on seed, subject and epoch alone.

use super::before::FiledBefore;
use super::earlier::Judged;
use super::files::{Filed, file_finding, file_not_judged, file_unconfirmed, shape_to_file};
use super::ledger::Ledger;
use super::log::Log;
use super::patience::Patience;
use super::result::{EpochResult, Found, NotJudged};
use super::shapes::{self, Attempts, shape};
use super::tally::Tally;
use super::{CampaignError, Event, Plan, Task};
use crate::accepted::Accepted;
use crate::finding::{Cause, Ending, Failure, FaultClass, Signature};
use crate::isolate::{Batch, BatchEnd, Counts, Isolation, IsolationError, monotonic_nanoseconds};
use crate::lockstep::Audits;
use crate::random::{hash_name, mix};
use crate::target::Target;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// An epoch ends after this many failing traces: each costs a process, and one finding is enough to fix one bug.
const FAILURES_PER_EPOCH: usize = 64;
/// As how many failures one counts that cost seconds of processor time.
const WEIGHT_OF_A_HANG: usize = 16;

/// What a second run says of a failure.
pub(super) enum Confirmed {
    Finding(Signature, Option<FaultClass>),
    /// It agrees on a fresh subject.
    Unrepeated,
    NotJudged(String),
}

/// Runs epochs, one after the other, with one worker at a time.
pub(super) struct EpochRunner<'a> {
    plan: &'a Plan,
    pub(super) isolation: Isolation,
    log: Option<&'a Log>,
    before: &'a FiledBefore,
    listener: &'a (dyn Fn(Event<'_>) + Sync),
}

impl<'a> EpochRunner<'a> {
    pub(super) fn start(
        plan: &'a Plan,
        log: Option<&'a Log>,
        before: &'a FiledBefore,
        interrupted: &Arc<AtomicBool>,
        listener: &'a (dyn Fn(Event<'_>) + Sync),
    ) -> Result<Self, IsolationError> {
        Ok(EpochRunner { plan, isolation: Isolation::start(Arc::clone(interrupted))?, log, before, listener })
    }

    pub(super) fn run(
        &mut self,
        task: &Task,
        target: &dyn Target,
        ledger: &Mutex<Ledger>,
    ) -> Result<EpochResult, CampaignError> {
        let stream = mix(mix(self.plan.seed, hash_name(&target.name())), task.epoch);
        let started = Instant::now();
        let mut found: Vec<Found> = Vec::new();
        let (mut failures, mut unconfirmed, mut not_judged) = (0, 0, Vec::new());
        let mut shapes = Attempts::default();
        let mut batch = Batch {
            target: task.target,
            stream,
            first_trace: 0,
            ops_budget: task.ops_budget,
            deadline_nanoseconds: task.deadline_nanoseconds,
            strict: self.plan.strict,
            engine: self.plan.engine,
        };
        self.isolation.clear_counts();
        self.isolation.accept(&self.plan.accepted(task.target));
        let kept = ledger.lock().unwrap_or_else(PoisonError::into_inner).kept(task);
        let known = self.isolation.set_kept(&kept);
        loop {
            let (trace, wire, failure) = match self.isolation.run_batch(&batch)? {
                BatchEnd::Done | BatchEnd::Interrupted => break,
                BatchEnd::Spent { trace } => {
                    batch.first_trace = trace.saturating_add(1);
                    continue;
                }
                BatchEnd::NotJudged { trace, wire, why } => {
                    let number = format!("{}-{trace}", task.epoch);
                    not_judged.push(self.not_judged(task.target, target, &wire, &number, why)?);
                    batch.first_trace = trace.saturating_add(1);
                    if FAILURES_PER_EPOCH <= failures + WEIGHT_OF_A_HANG * not_judged.len() {
                        break;
                    }
                    continue;
                }
                BatchEnd::Failed { trace, wire, failure } => (trace, wire, failure),
            };
            let seconds = started.elapsed().as_secs_f64();
            let counts = self.isolation.counts();
            let seen = target.dialect().signature(&wire, &failure);
            let judged = match self.confirm(task.target, target, &wire, Some(failure))? {
                Confirmed::Unrepeated => self.repeat_with_earlier(target, &batch, trace, wire)?,
                confirmed @ (Confirmed::Finding(..) | Confirmed::NotJudged(_)) => {
                    Judged { confirmed, wire, earlier: 0, was_searched: false }
                }
            };
            let Judged { confirmed, wire, earlier, was_searched } = judged;
            let is_slow = was_searched || matches!(confirmed, Confirmed::Finding(_, Some(FaultClass::Hang)));
            failures += if is_slow { WEIGHT_OF_A_HANG } else { 1 };
            match confirmed {
                Confirmed::NotJudged(why) => {
                    let number = format!("{}-{trace}", task.epoch);
                    not_judged.push(self.not_judged(task.target, target, &wire, &number, why)?);
                }
                Confirmed::Unrepeated => {
                    unconfirmed += 1;
                    file_unconfirmed(&self.plan.out, target, &wire, &seen)?;
                }
                Confirmed::Finding(signature, class) => {
                    if let Some(known) = found.iter_mut().find(|known| known.signature == signature) {
                        if !is_slow && shapes.wants(&signature) {
                            self.keep_other_shape(task, target, &wire, known, class)?;
                        }
                    } else {
                        let (filed, is_new) = self.file(task, target, &wire, &signature, class, ledger)?;
                        shapes.begin(&signature, is_new);
                        let Counts { traces: executions, ops, .. } = counts;
                        let (earlier_traces, shapes) = (earlier, Vec::new());
                        found.push(Found { signature, executions, ops, seconds, filed, shapes, earlier_traces });
                        self.report(task.target, target, &found[found.len() - 1])?;
                    }
                }
            }
            let is_over = task.deadline_nanoseconds <= monotonic_nanoseconds();
            if is_over || FAILURES_PER_EPOCH <= failures || !target.is_sound() && !found.is_empty() {
                break;
            }
            batch.first_trace = trace.saturating_add(1);
        }
        let tally = Tally::of(&self.isolation.counts(), unconfirmed, started.elapsed().as_secs_f64());
        Ok(EpochResult { tally, found, not_judged, kept: self.isolation.kept(known) })
    }

    /// Files a trace that was not judged, and tells of it.
    pub(super) fn not_judged(
        &self,
        index: usize,
        target: &dyn Target,
        wire: &[u8],
        number: &str,
        why: String,
    ) -> Result<NotJudged, CampaignError> {
        let Filed { path, .. } = file_not_judged(&self.plan.out, target, wire, number, &why)?;
        (self.listener)(Event::NotJudged { target: index, trace: &path, why: &why });
        Ok(NotJudged { path, why })
    }

    /// Logs a finding, then tells of it: what was told is never lost.
    pub(super) fn report(&self, index: usize, target: &dyn Target, found: &Found) -> Result<(), CampaignError> {
        if let Some(log) = self.log {
            log.found(target, found)?;
        }
        (self.listener)(Event::Found {
            target: index,
            signature: &found.signature,
            trace: &found.filed.path,
            ops: found.filed.ops,
            executions: found.executions,
            seconds: found.seconds,
            earlier_traces: found.earlier_traces,
        });
        Ok(())
    }

    /// Runs the trace again on a fresh subject in a fresh worker: what a stray write of an earlier trace left behind is
    /// no finding of this one. What the second run shows is the truth. Where that is interrupted it is what was seen
    /// before, if anything was.
    pub(super) fn confirm(
        &mut self,
        index: usize,
        target: &dyn Target,
        wire: &[u8],
        seen: Option<Failure>,
    ) -> Result<Confirmed, IsolationError> {
        let ending = match self.isolation.replay(index, wire, self.audits()) {
            Err(IsolationError::NotJudged { why }) => return Ok(Confirmed::NotJudged(why)),
            ending => ending?,
        };
        let failure = match ending {
            Some(Ending::Failed(failure)) => Some(failure),
            Some(Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_)) => None,
            // Interrupted: what was seen once is kept, rather than lost for want of a second look.
            None => seen,
        };
        let Some(failure) = failure else { return Ok(Confirmed::Unrepeated) };
        let class = match &failure.cause {
            Cause::Fault(fault) => Some(fault.class),
            Cause::Law { .. } => None,
        };
        Ok(Confirmed::Finding(target.dialect().signature(wire, &failure), class))
    }

    /// What traces of this target go on behind.
    pub(super) fn accepted(&self, target: usize) -> Accepted {
        self.plan.accepted(target)
    }

    fn audits(&self) -> Audits {
        if self.plan.strict { Audits::EveryStep } else { Audits::Full }
    }

    /// Files the finding, unless an earlier epoch did; says whether it is new.
    fn file(
        &mut self,
        task: &Task,
        target: &dyn Target,
        wire: &[u8],
        signature: &Signature,
        class: Option<FaultClass>,
        ledger: &Mutex<Ledger>,
    ) -> Result<(Filed, bool), CampaignError> {
        let known = ledger.lock().unwrap_or_else(PoisonError::into_inner).earlier(task, signature);
        let patience = Patience::with(class).until(task.latest_nanoseconds);
        if let Some(known) = known {
            return Ok((known, false));
        }
        Ok((self.file_and_shrink(task.target, target, wire, signature, patience)?, true))
    }

    /// Shrinks another trace with a signature that is filed already, and keeps it too if it has another shape: it is
    /// filed at the end, for only then it is known which epoch's count.
    fn keep_other_shape(
        &mut self,
        task: &Task,
        target: &dyn Target,
        wire: &[u8],
        found: &mut Found,
        class: Option<FaultClass>,
    ) -> Result<(), CampaignError> {
        let patience = Patience::with(class).until(task.latest_nanoseconds);
        let audits = self.audits();
        let (index, signature) = (task.target, &found.signature);
        let small = shrink_wire(&mut self.isolation, index, target, wire, signature, patience, audits)?;
        let shape = shape(target.dialect(), &small);
        let mut others = std::iter::once(&found.filed).chain(&found.shapes);
        if others.all(|other| shapes::shape(target.dialect(), &other.wire) != shape) {
            let known = met(&mut self.isolation, index, &small, audits)?;
            let number = found.shapes.len() + 2;
            found.shapes.push(shape_to_file(&self.plan.out, target, small, (signature, number), known));
        }
        Ok(())
    }

    /// Files the finding as it is, then shrinks it and files it again: nothing that was found can be lost.
    pub(super) fn file_and_shrink(
        &mut self,
        index: usize,
        target: &dyn Target,
        wire: &[u8],
        signature: &Signature,
        patience: Patience,
    ) -> Result<Filed, CampaignError> {
        let known = self.isolation.met();
        let before = self.no_longer_before(index, target, wire, signature)?;
        let (wire, known) = before.map_or((wire, known), |before| (before, self.isolation.met()));
        file_finding(&self.plan.out, target, wire, signature, known)?;
        let audits = self.audits();
        let small = shrink_wire(&mut self.isolation, index, target, wire, signature, patience, audits)?;
        let known = met(&mut self.isolation, index, &small, audits)?;
        file_finding(&self.plan.out, target, &small, signature, known)
    }

    /// The trace that an earlier run filed for the finding, if it has no more ops and still fails so: a longer one
    /// never takes its place.
    fn no_longer_before(
        &mut self,
        index: usize,
        target: &dyn Target,
        wire: &[u8],
        signature: &Signature,
    ) -> Result<Option<&'a [u8]>, IsolationError> {
        let ops = |wire| target.dialect().op_count(wire);
        let before = self.before.get(self.plan, target, signature).filter(|before| ops(before) <= ops(wire));
        let Some(before) = before else { return Ok(None) };
        let again = self.confirm(index, target, before, None)?;
        let is_same = matches!(again, Confirmed::Finding(seen, _) if seen == *signature);
        Ok(is_same.then_some(before))
    }
}

/// The known findings that a trace goes on behind.
pub(crate) fn met(
    isolation: &mut Isolation,
    index: usize,
    wire: &[u8],
    audits: Audits,
) -> Result<Vec<String>, IsolationError> {
    if isolation.accepts_nothing() {
        return Ok(Vec::new());
    }
    match isolation.replay(index, wire, audits) {
        Ok(_) | Err(IsolationError::NotJudged { .. }) => Ok(isolation.met()),
        Err(error) => Err(error),
    }
}

/// Shrinks a trace under isolation, keeping its signature.
pub(crate) fn shrink_wire(
    isolation: &mut Isolation,
    index: usize,
    target: &dyn Target,
    wire: &[u8],
    signature: &Signature,
    mut patience: Patience,
    audits: Audits,
) -> Result<Vec<u8>, IsolationError> {
    let dialect = target.dialect();
    let mut error = None;
    let small = target.shrink(wire, &mut |candidate| {
        if error.is_some() || !patience.take_run() {
            return false;
        }
        match isolation.replay(index, candidate, audits) {
            Ok(Some(Ending::Failed(failure))) => dialect.signature(candidate, &failure) == *signature,
            Ok(_) | Err(IsolationError::NotJudged { .. }) => false,
            Err(failed) => {
                error = Some(failed);
                false
            }
        }
    });
    error.map_or(Ok(small), Err)
}
