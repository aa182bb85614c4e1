//! How fast a subject runs: alone, its model alone, both in lockstep. Inside a worker, round by round, so that all ways
//! meet the same noise.

use super::{Audits, CLOSE_LOOK_EVERY, COUNTS, Ended, Journal, Runner, tell_turn};
use crate::engines::TraceSource;
use crate::rig::Rig;
use crate::trace::Trace;
use crate::turns::{Lent, Turns};
use crate::vacuity::{is_most, skipped};
use memtwin_models::{AnySubject, Lane, Model as _, Row};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// The stream that traces are drawn from.
pub(crate) const STREAM: u64 = 0x7370_6565_6400;
/// Rounds of each way.
pub(crate) const ROUNDS: u64 = 9;
/// Setups of a round, and traces of each.
const GROUPS: u64 = 4;
const TRACES: u64 = crate::engines::random::GROUP_TRACES;

/// Ops a second of a round inside a worker.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Round {
    pub alone: f64,
    pub model: f64,
    pub lockstep: f64,
}

/// Every round of a subject. `step` moves, so that nobody takes the measurement for a hang.
pub(crate) fn rounds<C: Rig>(
    row: &'static Row<C>,
    traces: &mut dyn TraceSource,
    runner: &mut dyn Runner,
    step: &AtomicU32,
) -> Vec<Round> {
    let mut groups: Vec<Group<C>> =
        (0..GROUPS).filter_map(|group| Group::new(row, traces, runner, group * TRACES, step)).collect();
    (0..ROUNDS)
        .map(|_| {
            let mut rate = |way: &mut dyn FnMut(&mut Group<C>) -> usize| {
                let (mut ops, mut seconds) = (0, 0.0);
                for group in &mut groups {
                    step.fetch_add(1, Ordering::Relaxed);
                    let started = Instant::now();
                    ops += way(group);
                    seconds += started.elapsed().as_secs_f64();
                }
                ops as f64 / seconds
            };
            Round {
                alone: rate(&mut Group::alone),
                model: rate(&mut Group::model),
                lockstep: rate(&mut |group| group.lockstep(runner, step)),
            }
        })
        .collect()
}

/// Traces of one setup on which the subject agrees.
struct Group<C: Rig> {
    row: &'static Row<C>,
    setup: C::Setup,
    wires: Vec<Vec<u8>>,
    traces: Vec<Trace<C>>,
    ops: usize,
    turns: Turns,
    subject: Box<dyn AnySubject<C>>,
    seen: C::Outcome,
    model: C::Model,
    /// What the subject showed of the first ops, trace by trace: what the model alone judges.
    shown: Vec<Vec<C::Outcome>>,
}

/// Whether most traces of a group agree, and do not skip most of their ops: else the figures would be of nothing.
fn is_worth_it<C: Rig>(agreed: u64, counts: &[u64; COUNTS]) -> bool {
    let ops = counts.iter().sum();
    0 < agreed && !is_most(TRACES - agreed, TRACES) && !is_most(skipped(C::OUTCOME_CLASSES, counts), ops)
}

/// Of so many ops of a group the outcomes are kept: each owns its buffers, up to a mebibyte.
const SHOWN_OPS: usize = 128;

impl<C: Rig> Group<C> {
    fn new(
        row: &'static Row<C>,
        traces: &mut dyn TraceSource,
        runner: &mut dyn Runner,
        first: u64,
        step: &AtomicU32,
    ) -> Option<Self> {
        let mut wires = Vec::new();
        let mut counts = Box::new([0; COUNTS]);
        for index in first..first + TRACES {
            let mut wire = Vec::new();
            traces.write(STREAM, index, &mut wire);
            let mut journal = Journal { step, counts: &mut counts, features: None, ops: 0 };
            if runner.run(&wire, Audits::Sample, &mut journal) == Ended::Agreed {
                wires.push(wire);
            }
        }
        if !is_worth_it::<C>(wires.len() as u64, &counts) {
            return None;
        }
        let traces: Vec<Trace<C>> = wires.iter().map(|wire| Trace::from_wire(wire)).collect();
        let setup = traces.first()?.setup.clone();
        let mut group = Self {
            row,
            wires,
            ops: traces.iter().map(|trace| trace.ops().len()).sum(),
            turns: Turns::default(),
            subject: row.construct(&setup).ok()?,
            seen: C::Outcome::default(),
            model: C::Model::new(&setup, &row.contract),
            shown: Vec::new(),
            traces,
            setup,
        };
        for number in 0..group.traces.len() {
            let room = SHOWN_OPS - group.shown.iter().map(Vec::len).sum::<usize>();
            if room == 0 {
                break;
            }
            let (mut shown, mut last_lane) = (Vec::new(), Lane::FIRST);
            for (lane, op) in group.traces[number].steps().take(room) {
                let mut seen = C::Outcome::default();
                tell_turn::<C>(&mut group.model, lane, &mut last_lane);
                group.model.arrange(op, &mut seen);
                group.turns.carry_out(lane, &mut *group.subject, op, &mut seen).ok()?;
                let _ = group.model.judge(op, &seen);
                shown.push(seen);
            }
            group.shown.push(shown);
            group.model.reset(&group.setup);
            group.reset();
        }
        Some(group)
    }

    /// The subject carries out the ops, and is reset after each trace.
    fn alone(&mut self) -> usize {
        for number in 0..self.traces.len() {
            self.carry_out(number);
            self.reset();
        }
        self.ops
    }

    /// The subject carries out the ops of a trace, thread after thread as in lockstep.
    fn carry_out(&mut self, number: usize) {
        let mut steps = self.traces[number].steps().peekable();
        while let Some((lane, _)) = steps.peek().copied() {
            let mut ends = false;
            let mut subject = Lent(&mut *self.subject);
            let (model, seen) = (&mut self.model, &mut self.seen);
            let mut work = || {
                while let Some((_, op)) = steps.next_if(|step| step.0 == lane && !ends) {
                    // The buffers that the op writes to are prepared, as they are in lockstep.
                    model.arrange(op, seen);
                    subject.get().apply(op, seen);
                    black_box(&*seen);
                    ends = C::ends_thread(op);
                }
            };
            if self.turns.on(lane, &mut work).is_err() {
                // The host had the threads a moment ago; without them the round is too fast, and the next one tells.
                return;
            }
            if ends {
                self.turns.end(lane);
            }
        }
    }

    /// The model judges what the subject showed; the kept traces again and again, until it is as many traces.
    fn model(&mut self) -> usize {
        let kept = self.shown.len();
        let mut judged = 0;
        for number in 0..self.traces.len() {
            let (trace, shown) = (&self.traces[number % kept], &self.shown[number % kept]);
            let mut last_lane = Lane::FIRST;
            for ((lane, op), seen) in trace.steps().zip(shown) {
                tell_turn::<C>(&mut self.model, lane, &mut last_lane);
                let _ = black_box(self.model.judge(op, seen));
            }
            judged += shown.len();
            self.model.reset(&self.setup);
        }
        judged
    }

    fn lockstep(&mut self, runner: &mut dyn Runner, step: &AtomicU32) -> usize {
        let mut counts = [0; COUNTS];
        for (number, wire) in (0..).zip(&self.wires) {
            let audits = if CLOSE_LOOK_EVERY - 1 == number % CLOSE_LOOK_EVERY { Audits::Full } else { Audits::Sample };
            let mut journal = Journal { step, counts: &mut counts, features: None, ops: 0 };
            black_box(runner.run(wire, audits, &mut journal));
        }
        self.ops
    }

    fn reset(&mut self) {
        if 1 < C::LANES {
            self.turns.end_all();
        }
        if !self.subject.reset(&self.setup)
            && let Ok(new) = self.row.construct(&self.setup)
        {
            self.subject = new;
        }
    }
}
