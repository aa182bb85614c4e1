//! How fast sound subjects run: alone, the model alone, both in lockstep, and as campaigns run them. All ways meet the same
//! noise, because each round runs every way once; what counts are the ratios of a round. Beside each component its canary, a
//! Broken subject, must be caught: a pipeline that is fast because it looks at nothing would miss it.

use super::{SCHEMA, Spread};
use crate::campaign::{self, Budget, CampaignError, Plan};
use crate::engines::{Engine, TraceSource};
use crate::isolate::{Batch, BatchEnd, Isolation};
use crate::lockstep::{Audits, CLOSE_LOOK_EVERY, COUNTS, Ended, Journal, Runner};
use crate::registry::Registry;
use crate::rig::Rig;
use crate::target::Target;
use crate::trace::Trace;
use memtwin_models::{Model as _, Subject};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

/// The stream that traces are drawn from.
const STREAM: u64 = 0x7370_6565_6400;
/// Rounds of each way.
const ROUNDS: u64 = 9;
/// Setups of a round, and traces of each.
const GROUPS: u64 = 4;
const TRACES: u64 = crate::engines::random::GROUP_TRACES;
/// Ops of an isolated round.
const ISOLATED_OPS: u64 = 1_000_000;
/// Within so many ops the canary must be caught.
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

/// Ops a second of a round inside a worker.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Round {
    pub alone: f64,
    pub model: f64,
    pub lockstep: f64,
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
        BatchEnd::Done | BatchEnd::Failed { .. } => {
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

/// The worker's part: every round of subject `S`. `place` moves, so that nobody takes the measurement for a hang.
pub(crate) fn rounds<C: Rig, S: Subject<C>>(
    traces: &mut dyn TraceSource,
    runner: &mut dyn Runner,
    place: &AtomicU32,
) -> Vec<Round> {
    let mut groups: Vec<Group<C, S>> =
        (0..GROUPS).filter_map(|group| Group::new(traces, runner, group * TRACES, place)).collect();
    (0..ROUNDS)
        .map(|_| {
            let mut rate = |way: &mut dyn FnMut(&mut Group<C, S>) -> usize| {
                let (mut ops, mut seconds) = (0, 0.0);
                for group in &mut groups {
                    place.fetch_add(1, Ordering::Relaxed);
                    let started = Instant::now();
                    ops += way(group);
                    seconds += started.elapsed().as_secs_f64();
                }
                ops as f64 / seconds
            };
            Round {
                alone: rate(&mut Group::alone),
                model: rate(&mut Group::model),
                lockstep: rate(&mut |group| group.lockstep(runner, place)),
            }
        })
        .collect()
}

/// Traces of one setup on which the subject agrees.
struct Group<C: Rig, S> {
    setup: C::Setup,
    wires: Vec<Vec<u8>>,
    traces: Vec<Vec<C::Op>>,
    ops: usize,
    subject: S,
    seen: C::Outcome,
    model: C::Model,
    /// What the subject showed of the first ops, trace by trace: what the model alone judges.
    shown: Vec<Vec<C::Outcome>>,
}

/// Of so many ops of a group the outcomes are kept: each owns its buffers, up to a mebibyte.
const SHOWN_OPS: usize = 128;

impl<C: Rig, S: Subject<C>> Group<C, S> {
    fn new(traces: &mut dyn TraceSource, runner: &mut dyn Runner, first: u64, place: &AtomicU32) -> Option<Self> {
        let mut wires = Vec::new();
        for index in first..first + TRACES {
            let mut wire = Vec::new();
            traces.write(STREAM, index, &mut wire);
            let mut counts = Box::new([0; COUNTS]);
            let mut journal = Journal { place, counts: &mut counts, features: None, ops: 0 };
            if runner.run(&wire, Audits::Sample, &mut journal) == Ended::Agreed {
                wires.push(wire);
            }
        }
        let decoded: Vec<Trace<C>> = wires.iter().map(|wire| Trace::from_wire(wire)).collect();
        let setup = decoded.first()?.setup.clone();
        let traces: Vec<Vec<C::Op>> = decoded.into_iter().map(|trace| trace.ops).collect();
        let mut group = Self {
            wires,
            ops: traces.iter().map(Vec::len).sum(),
            subject: S::new(&setup).ok()?,
            seen: C::Outcome::default(),
            model: C::Model::new(&setup, &S::CONTRACT),
            shown: Vec::new(),
            traces,
            setup,
        };
        for ops in &group.traces {
            let room = SHOWN_OPS - group.shown.iter().map(Vec::len).sum::<usize>();
            if room == 0 {
                break;
            }
            let mut shown = Vec::new();
            for op in ops.iter().take(room) {
                let mut seen = C::Outcome::default();
                group.model.arrange(op, &mut seen);
                group.subject.apply(op, &mut seen);
                let _ = group.model.judge(op, &seen);
                shown.push(seen);
            }
            group.shown.push(shown);
            group.model.reset(&group.setup);
            reset(&mut group.subject, &group.setup);
        }
        Some(group)
    }

    /// The subject carries out the ops, and is reset after each trace.
    fn alone(&mut self) -> usize {
        for ops in &self.traces {
            for op in ops {
                // The buffers that the op writes to are prepared, as they are in lockstep.
                self.model.arrange(op, &mut self.seen);
                self.subject.apply(op, &mut self.seen);
                black_box(&self.seen);
            }
            reset(&mut self.subject, &self.setup);
        }
        self.ops
    }

    /// The model judges what the subject showed; the kept traces again and again, until it is as many traces.
    fn model(&mut self) -> usize {
        let kept = self.shown.len();
        let mut judged = 0;
        for number in 0..self.traces.len() {
            let (ops, shown) = (&self.traces[number % kept], &self.shown[number % kept]);
            for (op, seen) in ops.iter().zip(shown) {
                let _ = black_box(self.model.judge(op, seen));
            }
            judged += shown.len();
            self.model.reset(&self.setup);
        }
        judged
    }

    fn lockstep(&mut self, runner: &mut dyn Runner, place: &AtomicU32) -> usize {
        let mut counts = [0; COUNTS];
        for (number, wire) in (0..).zip(&self.wires) {
            let audits = if CLOSE_LOOK_EVERY - 1 == number % CLOSE_LOOK_EVERY { Audits::Full } else { Audits::Sample };
            let mut journal = Journal { place, counts: &mut counts, features: None, ops: 0 };
            black_box(runner.run(wire, audits, &mut journal));
        }
        self.ops
    }
}

fn reset<C: Rig, S: Subject<C>>(subject: &mut S, setup: &C::Setup) {
    if !subject.reset(setup)
        && let Ok(new) = S::new(setup)
    {
        *subject = new;
    }
}
