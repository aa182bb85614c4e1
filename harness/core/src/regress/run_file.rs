//! From judged runs to a run file. New failures are shrunk and filed here, one for each subject and signature.

use super::judge::{Judged, Seen, judge};
use super::work::Job;
use super::{Event, Plan, RegressError};
use crate::campaign::{CampaignError, Patience, file_finding, met, shrink_wire};
use crate::finding::{Cause, Ending};
use crate::isolate::{Isolation, IsolationError};
use crate::lockstep::Audits;
use crate::registry::Registry;
use crate::run_file::{Finding, Kind, RunFile, Status, SubjectRun, TraceRun, Verdict, stories};
use crate::target::Target;
use memtwin_models::Health;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A judged job.
struct Row<'a> {
    job: &'a Job<'a>,
    judged: &'a Judged,
    run: TraceRun,
}

impl Row<'_> {
    /// The signature that the first run failed with.
    fn signature(&self) -> Option<&str> {
        match self.judged.seen.iter().find(|seen| matches!(seen, Seen::Failed(_))) {
            Some(Seen::Failed(signature)) => Some(signature),
            Some(Seen::Agreed | Seen::Moot(_) | Seen::Unjudged(_)) | None => None,
        }
    }

    fn shows(&self, wanted: fn(&Seen) -> bool) -> bool {
        self.judged.seen.first().is_some_and(wanted)
    }
}

/// The run file; nothing when interrupted.
pub(super) fn make(
    registry: &Registry,
    plan: &Plan<'_>,
    jobs: &[Job<'_>],
    judged: &[Judged],
    gone: Vec<TraceRun>,
    interrupted: &Arc<AtomicBool>,
    listener: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Option<RunFile>, RegressError> {
    let rows: Vec<Row<'_>> = jobs.iter().zip(judged).map(|(job, judged)| row(job, judged)).collect();
    let is_new = |row: &&Row<'_>| row.run.status == Status::New;
    let mut isolation = None;
    let mut subjects = Vec::new();
    for (index, target) in registry.targets().enumerate() {
        let of_target: Vec<&Row<'_>> = rows.iter().filter(|row| row.job.index == index).collect();
        if of_target.is_empty() {
            continue;
        }
        let mut findings: BTreeMap<&str, Finding> = BTreeMap::new();
        for row in &of_target {
            let Some(signature) = row.signature() else { continue };
            let known = findings.entry(signature).or_insert_with(|| finding(row, signature));
            // One of several runs tells for all of them: the worst.
            if known.status < Some(row.run.status) {
                *known = finding(row, signature);
            }
        }
        for row in of_target.iter().filter(|row| is_new(row)) {
            let Some(finding) = row.signature().and_then(|signature| findings.get_mut(signature)) else { continue };
            if finding.trace != row.job.trace_name {
                continue;
            }
            listener(Event::Shrinking { target: &row.job.target_name, signature: &finding.signature });
            let isolation = match &mut isolation {
                Some(isolation) => isolation,
                none @ None => none.insert(Isolation::start(Arc::clone(interrupted)).map_err(CampaignError::from)?),
            };
            let Some((trace, ops)) = shrink_and_file(isolation, plan, row)? else { return Ok(None) };
            *finding =
                Finding { status: finding.status, ..Finding::of(target.dialect(), &finding.signature, trace, ops) };
        }
        subjects.push(subject(target, &of_target, findings.into_values().collect()));
    }
    let mut traces: Vec<TraceRun> = rows.into_iter().map(|row| row.run).chain(gone).collect();
    traces.sort_by(|one, other| one.trace.cmp(&other.trace));
    let mut run = RunFile::new(Kind::Regress, 0, subjects, traces);
    // What stays as it was is told by the evidence itself: a baseline with its stories would be too large for git.
    let is_news = |finding: &Finding| finding.status != Some(Status::StillFailing);
    stories::add(&mut run, registry, plan.workers, interrupted, is_news).map_err(CampaignError::from)?;
    Ok(Some(run))
}

fn row<'a>(job: &'a Job<'a>, judged: &'a Judged) -> Row<'a> {
    let (status, unexpected, reason) = judge(judged);
    let mut row = Row {
        job,
        judged,
        run: TraceRun {
            trace: job.trace_name.clone(),
            target: job.target_name.clone(),
            status,
            unexpected,
            expected: judged.expected.clone(),
            seen: None,
            reason,
        },
    };
    row.run.seen = row.signature().map(str::to_owned);
    row
}

fn finding(row: &Row<'_>, signature: &str) -> Finding {
    let known = row.run.reason.clone().filter(|_| row.run.status == Status::Known);
    Finding {
        step: row.judged.step,
        known,
        status: Some(row.run.status),
        ..Finding::of(row.job.target.dialect(), signature, row.job.trace_name.clone(), row.judged.ops)
    }
}

/// Shrinks the trace of a new failure and files it; nothing when interrupted.
fn shrink_and_file(
    isolation: &mut Isolation,
    plan: &Plan<'_>,
    row: &Row<'_>,
) -> Result<Option<(String, usize)>, RegressError> {
    let failed = |error: IsolationError| CampaignError::from(error);
    let Row { job, .. } = row;
    let wire = &job.loaded.wire;
    isolation.accept(&job.accepted);
    let failure = match isolation.replay(job.index, wire, Audits::Full).map_err(failed)? {
        Some(Ending::Failed(failure)) => failure,
        // It failed each time before, and now it does not: the trace stays as it is.
        Some(Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_)) => {
            return Ok(Some((job.trace_name.clone(), row.judged.ops)));
        }
        None => return Ok(None),
    };
    let class = match &failure.cause {
        Cause::Fault(fault) => Some(fault.class),
        Cause::Law { .. } => None,
    };
    let signature = job.loaded.dialect.signature(wire, &failure);
    file_finding(&plan.out, job.target, wire, &signature, isolation.met())?;
    let small = shrink_wire(isolation, job.index, job.target, wire, &signature, Patience::with(class), Audits::Full)
        .map_err(failed)?;
    let known = met(isolation, job.index, &small, Audits::Full).map_err(failed)?;
    let filed = file_finding(&plan.out, job.target, &small, &signature, known)?;
    Ok(Some((filed.path.display().to_string(), filed.ops)))
}

fn subject(target: &dyn Target, rows: &[&Row<'_>], findings: Vec<Finding>) -> SubjectRun {
    let count = |wanted: fn(&Seen) -> bool| rows.iter().filter(|row| row.shows(wanted)).count() as u64;
    let has = |status: Status| rows.iter().any(|row| row.run.status == status);
    let (health, defect) = match target.health() {
        Health::Sound => ("sound", None),
        Health::Broken { defect, .. } => ("broken", defect.map(str::to_owned)),
    };
    let verdict = match (target.is_sound(), findings.is_empty()) {
        (true, true) => Verdict::Agreed,
        (true, false) if has(Status::New) || has(Status::Flaky) => Verdict::Diverged,
        (true, false) => Verdict::Known,
        (false, _) if has(Status::StillFailing) => Verdict::Caught,
        (false, _) => Verdict::Missed,
    };
    SubjectRun {
        defect,
        traces: rows.len() as u64,
        ops: rows.iter().map(|row| row.judged.ops as u64).sum(),
        moot: count(|seen| matches!(seen, Seen::Moot(_))),
        unsupported: count(|seen| matches!(seen, Seen::Unjudged(_))),
        findings,
        ..SubjectRun::uncounted(target.dialect().name(), target.subject(), health, verdict)
    }
}
