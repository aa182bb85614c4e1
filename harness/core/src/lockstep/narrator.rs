//! The narrator: inside a worker, tells the story of one trace step by step into shared memory, so that what was told
//! before a fault survives it.

use super::told::{ByteDifference, Told};
use super::{AUDIT_KIND, Ended, audit, number_of, tell_turn};
use crate::accepted::Accepted;
use crate::finding::Step;
use crate::rig::{Rig, Scene};
use crate::trace::Trace;
use crate::turns::Turns;
use memtwin_models::{AnySubject, Component, Depth, Effect, Lane, Model as _, Row, Verdict};
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes the story to shared memory.
#[derive(Debug)]
pub struct Narrator<'a> {
    /// The ops before this one are run and not told.
    first: usize,
    accepted: Accepted,
    step: &'a AtomicU32,
    output: &'a mut [u8],
    length: &'a AtomicU32,
}

impl<'a> Narrator<'a> {
    pub(crate) fn new(
        first: usize,
        accepted: Accepted,
        step: &'a AtomicU32,
        output: &'a mut [u8],
        length: &'a AtomicU32,
    ) -> Self {
        Narrator { first, accepted, step, output, length }
    }

    fn at(&self, step: Step) {
        self.step.store(number_of(step), Ordering::Relaxed);
    }

    /// Appends a line. When the room is used up the rest stays untold; the supervisor says so.
    fn tell(&mut self, told: &Told) {
        let Ok(mut line) = serde_json::to_vec(told) else { return };
        line.push(b'\n');
        let start = self.length.load(Ordering::Relaxed) as usize;
        if let Some(room) = self.output.get_mut(start..start + line.len()) {
            room.copy_from_slice(&line);
            #[allow(clippy::cast_possible_truncation)] // the output is shorter than 4 GiB
            self.length.store((start + line.len()) as u32, Ordering::Release);
        }
    }
}

/// Runs a trace on a subject and tells its story. Ends as [`crate::lockstep::Runner::run`] does.
pub(crate) fn narrate<C: Rig>(row: &Row<C>, wire: &[u8], narrator: &mut Narrator<'_>) -> Ended {
    let trace = Trace::<C>::from_wire(wire);
    narrator.at(Step::Construct);
    let mut subject = match row.construct(&trace.setup) {
        Ok(subject) => subject,
        Err(unsupported) => return Ended::Unsupported(unsupported.0),
    };
    let mut turns = Turns::default();
    let ended = play(row, &trace, &mut *subject, &mut turns, narrator);
    narrator.at(Step::Teardown);
    turns.end_all();
    if !matches!(ended, Ended::Diverged { .. } | Ended::Known { .. }) {
        subject.reset(&trace.setup);
    }
    ended
}

fn play<C: Rig>(
    row: &Row<C>,
    trace: &Trace<C>,
    subject: &mut dyn AnySubject<C>,
    turns: &mut Turns,
    narrator: &mut Narrator<'_>,
) -> Ended {
    let (setup, ops) = (&trace.setup, trace.ops());
    let mut model = C::Model::new(setup, &row.contract);
    let mut seen = C::Outcome::default();
    let mut succeeded = Vec::new();
    let mut last_lane = Lane::FIRST;
    for (position, (lane, op)) in trace.steps().enumerate() {
        #[allow(clippy::cast_possible_truncation)] // a trace has fewer ops than wire bytes
        let index = position as u32;
        let is_told = narrator.first <= position;
        tell_turn::<C>(&mut model, lane, &mut last_lane);
        if is_told {
            narrator.tell(&Told::Before { allowed: model.allowed(op), picture: model.picture(Some(op)) });
        }
        model.arrange(op, &mut seen);
        narrator.at(Step::Op(index));
        if let Err(refused) = turns.carry_out(lane, subject, op, &mut seen) {
            return Ended::Unsupported(refused.0);
        }
        let rows = if is_told { model.byte_rows(op, &seen) } else { None };
        let verdict = model.judge(op, &seen);
        if is_told {
            narrator.tell(&Told::Seen { words: C::seen_words(op, &seen) });
        }
        match verdict {
            Verdict::Agree => {}
            Verdict::Diverge(divergence)
                if narrator.accepted.meet(C::NAME, C::OP_KINDS[C::op_kind(op)], &divergence) =>
            {
                if is_told {
                    narrator.tell(&Told::Known);
                }
                if !model.accept(op, &seen, &divergence) {
                    return Ended::Known { op: index };
                }
            }
            Verdict::Diverge(divergence) => {
                let ops = &ops[..=position];
                let (succeeded, seen, model, divergence) = (&succeeded, &seen, &model, &divergence);
                let scene = Scene { setup, ops, succeeded, seen, model, view: None, divergence };
                let bytes = rows.and_then(|rows| ByteDifference::of(&rows));
                narrator.tell(&Told::Place { state: None, scene: C::scene(&scene), bytes, picture: None });
                return Ended::Diverged { step: Step::Op(index), divergence: *divergence };
            }
            Verdict::Moot(reason) => return Ended::Moot { op: index, reason },
        }
        succeeded.push(<C as Component>::OUTCOME_CLASSES[C::outcome_class(&seen)].effect == Effect::Success);
    }
    narrator.at(Step::Audit);
    let mut view = C::View::default();
    match audit::<C>(&model, subject, &mut view, Depth::Full) {
        Verdict::Agree => Ended::Agreed,
        #[allow(clippy::cast_possible_truncation)] // as above
        Verdict::Moot(reason) => Ended::Moot { op: ops.len() as u32, reason },
        #[allow(clippy::cast_possible_truncation)] // as above
        Verdict::Diverge(divergence) if narrator.accepted.meet(C::NAME, AUDIT_KIND, &divergence) => {
            Ended::Known { op: ops.len() as u32 }
        }
        Verdict::Diverge(divergence) => {
            let bytes = model.state_rows(&view).and_then(|rows| ByteDifference::of(&rows));
            let (view, succeeded, seen, model, divergence) = (Some(&view), &succeeded, &seen, &model, &divergence);
            let scene = Scene { setup, ops, succeeded, seen, model, view, divergence };
            let (state, picture) = (Some(C::state_words(&scene)), Some(model.picture(None)));
            narrator.tell(&Told::Place { state, scene: C::scene(&scene), bytes, picture });
            Ended::Diverged { step: Step::Audit, divergence: *divergence }
        }
    }
}
