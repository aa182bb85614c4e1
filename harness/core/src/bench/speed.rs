//! How fast sound subjects run: alone, the model alone, both in lockstep, and as campaigns run them. All ways meet the
//! same noise, because each round runs every way once; what counts are the ratios of a round. Beside each component its
//! canary, a Broken subject, must be caught: a pipeline that is fast because it looks at nothing would miss it.

use super::{SCHEMA, Spread};
use crate::campaign::{self, Budget, CampaignError, Plan};
use crate::engines::Engine;
use crate::isolate::{Batch, BatchEnd, Isolation};
use crate::lockstep::{ROUNDS, Round, STREAM};
use crate::registry::Registry;
use crate::target::Target;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Ops of an isolated round.
const ISOLATED_OPS: u64 = 1_000_000;
/// Within this many ops the canary must be caught.
const CANARY_OPS: u64 = 40_000_000;

/// The whole measurement.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Speed {
    pub schema: &'static str,
    pub subjects: Vec<SubjectSpeed>,
    pub canaries: Vec<Canary>,
}

/// Ops a second of one subject, by way.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct SubjectSpeed {
    pub component: String,
    pub subject: String,
    pub alone: Option<Spread>,
    pub model: Option<Spread>,
    pub lockstep: Option<Spread>,
    /// As campaigns run it: a worker that draws its traces itself.
    pub isolated: Option<Spread>,
    /// Lockstep over alone, round by round: 1 would be a twin that costs nothing.
    pub ratio: Option<Spread>,
}

/// A Broken subject that must be caught.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Canary {
    pub component: String,
    pub subject: String,
    pub is_caught: bool,
    pub milliseconds: Option<f64>,
}

/// Measures sound targets. `None` when interrupted.
pub fn speed(
    registry: &Registry,
    targets: &[usize],
    interrupted: &Arc<AtomicBool>,
    listener: &dyn Fn(&str),
) -> Result<Option<Speed>, CampaignError> {
    let mut isolation = Isolation::start(Arc::clone(interrupted))?;
    let (mut subjects, mut canaries): (Vec<SubjectSpeed>, Vec<Canary>) = (Vec::new(), Vec::new());
    for &index in targets {
        let Some(target) = registry.get(index) else { continue };
        listener(&target.name());
        let component = target.dialect().name();
        if canaries.iter().all(|canary| canary.component != component) {
            canaries.extend(canary(registry, component, interrupted)?);
        }
        let Some(rounds) = isolation.speed(index)? else { return Ok(None) };
        let mut isolated = Vec::new();
        for round in 0..ROUNDS {
            match isolated_round(&mut isolation, index, round)? {
                Some(ops) => isolated.push(ops),
                None => return Ok(None),
            }
        }
        let column =
            |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of).filter(|value| value.is_finite()).collect());
        subjects.push(SubjectSpeed {
            component: component.to_owned(),
            subject: target.subject().to_owned(),
            alone: column(|round| round.alone),
            model: column(|round| round.model),
            lockstep: column(|round| round.lockstep),
            isolated: Spread::of(isolated),
            ratio: column(|round| round.lockstep / round.alone),
        });
    }
    Ok(Some(Speed { schema: SCHEMA, subjects, canaries }))
}

/// Ops a second of one isolated batch; `None` when interrupted.
fn isolated_round(isolation: &mut Isolation, target: usize, round: u64) -> Result<Option<f64>, CampaignError> {
    let batch = Batch {
        target,
        stream: STREAM + round,
        first_trace: 0,
        ops_budget: ISOLATED_OPS,
        deadline_nanoseconds: u64::MAX,
        strict: false,
        engine: Engine::Random,
    };
    isolation.clear_counts();
    let started = Instant::now();
    Ok(match isolation.run_batch(&batch)? {
        // A sound subject that fails is a finding for `memtwin fuzz`; here its ops count as far as they went.
        BatchEnd::Done | BatchEnd::Spent { .. } | BatchEnd::Failed { .. } | BatchEnd::NotJudged { .. } => {
            Some(isolation.counts().ops as f64 / started.elapsed().as_secs_f64())
        }
        BatchEnd::Interrupted => None,
    })
}

fn canary(
    registry: &Registry,
    component: &str,
    interrupted: &Arc<AtomicBool>,
) -> Result<Option<Canary>, CampaignError> {
    let is_canary = |target: &dyn Target| !target.is_sound() && target.dialect().name() == component;
    let Some((index, target)) = registry.targets().enumerate().find(|(_, target)| is_canary(*target)) else {
        return Ok(None);
    };
    let out = tempfile::tempdir().map_err(|source| CampaignError::Write { path: std::env::temp_dir(), source })?;
    let plan = Plan::new(vec![index], STREAM, Budget::Ops(CANARY_OPS), out.path());
    let run = campaign::run(registry, &plan, interrupted, &|_| {})?;
    let finding = run.subjects.iter().flat_map(|subject| &subject.findings).next();
    Ok(Some(Canary {
        component: component.to_owned(),
        subject: target.subject().to_owned(),
        is_caught: finding.is_some(),
        milliseconds: finding.map(|finding| finding.seconds * 1e3),
    }))
}
