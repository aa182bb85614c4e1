//! Exhaustive runs: every small trace of one subject, each failure confirmed on a fresh subject, the first of its
//! signature shrunk and filed. What it returns depends on the subject and the depth alone.

use super::CampaignError;
use super::epoch::{met, shrink_wire};
use super::files::{Filed, file_finding, must_be_folder};
use super::patience::Patience;
use crate::finding::{Cause, Ending, Signature};
use crate::isolate::{BatchEnd, Counts, Isolation};
use crate::lockstep::Audits;
use crate::registry::Registry;
use crate::target::Target;
use crate::vacuity::{self, Allowed, Ran};
use std::path::Path;

/// A subject is given up after this many traces that fail or are not judged: each costs a process, and traces that
/// share a prefix fail alike.
const MOST_FAILURES: usize = 64;

/// What all small traces showed.
#[derive(Debug)]
pub struct Exhausted {
    /// How many traces there are.
    pub traces: u64,
    /// What was counted.
    pub counts: Counts,
    /// What was found, each signature once.
    pub found: Vec<(Signature, Filed)>,
    /// Failures that did not repeat on a fresh subject.
    pub unconfirmed: u64,
    /// Traces that were not judged, and why.
    pub not_judged: Vec<String>,
    /// Whether every trace ran: no interrupt, and not too many failures.
    pub is_complete: bool,
    /// Where agreement says too little.
    pub shortfalls: Vec<String>,
}

/// Runs all traces of at most `depth` ops over the component's small world on one target. A Broken one is given up at
/// the first finding.
pub fn exhaust(
    isolation: &mut Isolation,
    registry: &Registry,
    index: usize,
    depth: u32,
    out: &Path,
) -> Result<Exhausted, CampaignError> {
    let target = registry.get(index).unwrap_or_else(|| unreachable!("the caller chose from this registry"));
    let dialect = target.dialect();
    must_be_folder(out)?;
    let traces = target.small_traces(depth).count().ok_or(CampaignError::TooDeep { depth })?;
    let (mut found, mut unconfirmed, mut failures): (Vec<(Signature, Filed)>, _, _) = (Vec::new(), 0, 0);
    let (mut first, mut not_judged) = (0, Vec::new());
    isolation.clear_counts();
    let is_complete = loop {
        let (trace, wire, failure) = match isolation.exhaust(index, depth, first..traces)? {
            BatchEnd::Done => break true,
            BatchEnd::Interrupted => break false,
            BatchEnd::Spent { trace } => {
                first = trace + 1;
                continue;
            }
            BatchEnd::NotJudged { trace, why, .. } => {
                not_judged.push(format!("trace {trace}: {why}"));
                first = trace + 1;
                failures += 1;
                if failures == MOST_FAILURES {
                    break false;
                }
                continue;
            }
            BatchEnd::Failed { trace, wire, failure } => (trace, wire, failure),
        };
        failures += 1;
        first = trace + 1;
        let failure = match isolation.replay(index, &wire, Audits::Full)? {
            Some(Ending::Failed(failure)) => Some(failure),
            Some(Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_)) => None,
            // Interrupted: what was seen once is kept.
            None => Some(failure),
        };
        if let Some(failure) = failure {
            let signature = dialect.signature(&wire, &failure);
            let class = match &failure.cause {
                Cause::Fault(fault) => Some(fault.class),
                Cause::Law { .. } => None,
            };
            if found.iter().all(|(known, _)| *known != signature) {
                file_finding(out, target, &wire, &signature, isolation.met())?;
                let small =
                    shrink_wire(isolation, index, target, &wire, &signature, Patience::with(class), Audits::Full)?;
                let known = met(isolation, index, &small, Audits::Full)?;
                let filed = file_finding(out, target, &small, &signature, known)?;
                found.push((signature, filed));
            }
        } else {
            unconfirmed += 1;
        }
        if failures == MOST_FAILURES || !target.is_sound() && !found.is_empty() {
            break first == traces;
        }
    };
    let is_complete = is_complete && not_judged.is_empty();
    let counts = isolation.counts();
    let shortfalls = if traces == 0 { vec![nothing_left(target)] } else { shortfalls(target, &counts) };
    Ok(Exhausted { traces, counts, found, unconfirmed, not_judged, is_complete, shortfalls })
}

fn nothing_left(target: &dyn Target) -> String {
    let component = target.dialect().name();
    if target.dialect().has_small_world() {
        format!("the contract leaves nothing of {component}'s small world")
    } else {
        format!("{component} has no small world to exhaust")
    }
}

fn shortfalls(target: &dyn Target, counts: &Counts) -> Vec<String> {
    let Counts { traces, ops, moot, unsupported, ref outcomes, .. } = *counts;
    let skipped = vacuity::skipped(target.dialect().outcome_classes(), outcomes);
    vacuity::shortfalls(&Ran { traces, moot, unsupported, ops, skipped }, Allowed::Half)
}
