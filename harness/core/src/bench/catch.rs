//! How soon each defect is caught: the Broken subjects by the engines, at several seeds.

use super::{SCHEMA, Spread};
use crate::campaign::{self, Budget, CampaignError, Event, Plan};
use crate::engines::Engine;
use crate::registry::Registry;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A Broken subject that is not caught within this many ops is missed.
const MOST_OPS: u64 = 40_000_000;

/// What is measured.
#[derive(Debug, Clone)]
pub struct CatchPlan {
    /// The Broken targets, by their index in the registry.
    pub targets: Vec<usize>,
    /// The engines.
    pub engines: Vec<Engine>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Worker processes at a time. With one, no subject waits for another, and times are those of one core.
    pub workers: usize,
    /// Where traces are filed meanwhile.
    pub out: PathBuf,
}

/// The whole measurement.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Catch {
    pub schema: &'static str,
    pub seeds: Vec<u64>,
    pub engines: Vec<EngineCatch>,
}

/// What one engine caught.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct EngineCatch {
    pub engine: String,
    /// Runs, one for each subject and seed, and how many of them ended with a catch.
    pub runs: usize,
    pub caught: usize,
    /// Milliseconds to a catch, over all subjects and seeds.
    pub milliseconds: Option<Spread>,
    /// Seconds of the clock for the whole catalogue at one seed, shrinking and filing included.
    pub catalogue_seconds: Option<Spread>,
    pub subjects: Vec<SubjectCatch>,
}

/// How soon one subject was caught.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct SubjectCatch {
    pub component: String,
    pub subject: String,
    pub caught: usize,
    /// Traces up to the catch, over the seeds.
    pub executions: Option<Spread>,
    pub milliseconds: Option<Spread>,
}

/// Executions and milliseconds, one of each for each catch.
type Catches = (Vec<f64>, Vec<f64>);

/// Measures. When `interrupted` becomes true it stops; `None` then.
pub fn catch(
    registry: &Registry,
    plan: &CatchPlan,
    interrupted: &Arc<AtomicBool>,
    listener: &(dyn Fn(Engine, u64) + Sync),
) -> Result<Option<Catch>, CampaignError> {
    let mut engines = Vec::new();
    for &engine in &plan.engines {
        let mut catches: BTreeMap<(String, String), Catches> = BTreeMap::new();
        let mut catalogue_seconds = Vec::new();
        for &seed in &plan.seeds {
            listener(engine, seed);
            let budget = Budget::Ops(MOST_OPS);
            let campaign =
                Plan { workers: plan.workers, engine, ..Plan::new(plan.targets.clone(), seed, budget, &plan.out) };
            let started = Instant::now();
            let run = campaign::run(registry, &campaign, interrupted, &|_: Event<'_>| {})?;
            if interrupted.load(Ordering::Relaxed) {
                return Ok(None);
            }
            catalogue_seconds.push(started.elapsed().as_secs_f64());
            for subject in run.subjects {
                let (executions, milliseconds) = catches.entry((subject.component, subject.subject)).or_default();
                if let Some(finding) = subject.findings.first() {
                    executions.push(finding.executions as f64);
                    milliseconds.push(finding.seconds * 1e3);
                }
            }
        }
        engines.push(summary(engine, plan, catches, catalogue_seconds));
    }
    Ok(Some(Catch { schema: SCHEMA, seeds: plan.seeds.clone(), engines }))
}

fn summary(
    engine: Engine,
    plan: &CatchPlan,
    catches: BTreeMap<(String, String), Catches>,
    catalogue_seconds: Vec<f64>,
) -> EngineCatch {
    let all: Vec<f64> = catches.values().flat_map(|(_, milliseconds)| milliseconds.iter().copied()).collect();
    let subjects = catches.into_iter().map(|((component, subject), (executions, milliseconds))| SubjectCatch {
        component,
        subject,
        caught: executions.len(),
        executions: Spread::of(executions),
        milliseconds: Spread::of(milliseconds),
    });
    EngineCatch {
        engine: engine.to_string(),
        runs: plan.targets.len() * plan.seeds.len(),
        caught: all.len(),
        milliseconds: Spread::of(all),
        catalogue_seconds: Spread::of(catalogue_seconds),
        subjects: subjects.collect(),
    }
}
