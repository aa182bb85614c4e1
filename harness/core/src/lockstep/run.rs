//! One trace on its way: the ops of one thread in a row are carried out and judged there, for to change threads costs
//! more than a few ops do. Does not begin a trace or end a subject.

use super::{AUDIT_KIND, Audits, CLASSES, COUNTS, Ended, Journal, audit, tell_turn};
use crate::accepted::Accepted;
use crate::finding::Step;
use crate::rig::Rig;
use crate::trace::Ops;
use crate::turns::{Lent, Turns};
use memtwin_models::{Component, Depth, Divergence, Lane, Model as _, StateMap, Verdict};

/// A trace that runs.
pub(super) struct Run<'a, C: Rig> {
    pub(super) ops: Ops<'a, C>,
    /// The next op, where it was read ahead.
    pub(super) next: Option<(Lane, C::Op)>,
    pub(super) index: u32,
    pub(super) last_lane: Lane,
    pub(super) model: &'a mut C::Model,
    pub(super) subject: Lent<'a, C>,
    pub(super) seen: &'a mut C::Outcome,
    pub(super) view: &'a mut C::View,
    pub(super) accepted: &'a mut Accepted,
}

/// Why a turn is over.
enum Over<C: Component> {
    /// The next op is another thread's, or there is none.
    Done,
    /// The op was carried out, and its thread ends with it before it is judged.
    ThreadEnds(C::Op),
    Ended(Ended),
}

impl<C: Rig> Run<'_, C> {
    /// Runs the whole trace.
    #[inline]
    pub(super) fn play(mut self, turns: &mut Turns, audits: Audits, journal: &mut Journal<'_>) -> Ended {
        while let Some((lane, op)) = self.next.take() {
            tell_turn::<C>(self.model, lane, &mut self.last_lane);
            let mut over = Over::Done;
            if C::LANES == 1 || lane == Lane::FIRST {
                over = self.turn(lane, op, audits, journal);
            } else {
                let mut op = Some(op);
                let mut work = || {
                    if let Some(op) = op.take() {
                        over = self.turn(lane, op, audits, journal);
                    }
                };
                if let Err(refused) = turns.on(lane, &mut work) {
                    return Ended::Unsupported(refused.0);
                }
            }
            let ended = match over {
                Over::Done => None,
                Over::Ended(ended) => Some(ended),
                Over::ThreadEnds(op) => {
                    turns.end(lane);
                    self.judge(&op, audits, journal)
                }
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
        journal.at(Step::Audit);
        let depth = if audits == Audits::Sample { Depth::Sample } else { Depth::Full };
        match audit::<C>(self.model, self.subject.get(), self.view, depth) {
            Verdict::Agree => Ended::Agreed,
            Verdict::Diverge(divergence) if self.accepted.meet(C::NAME, AUDIT_KIND, &divergence) => {
                Ended::Known { op: self.index }
            }
            Verdict::Diverge(divergence) => Ended::Diverged { step: Step::Audit, divergence },
            Verdict::Moot(reason) => Ended::Moot { op: self.index, reason },
        }
    }

    /// Runs ops of one thread, beginning with this one.
    #[inline]
    fn turn(&mut self, lane: Lane, mut op: C::Op, audits: Audits, journal: &mut Journal<'_>) -> Over<C> {
        loop {
            self.model.arrange(&op, self.seen);
            journal.at(Step::Op(self.index));
            self.subject.get().apply(&op, self.seen);
            if 1 < C::LANES && lane != Lane::FIRST && C::ends_thread(&op) {
                self.next = self.ops.next();
                return Over::ThreadEnds(op);
            }
            if let Some(ended) = self.judge(&op, audits, journal) {
                return Over::Ended(ended);
            }
            match self.ops.next() {
                Some((next_lane, next)) if C::LANES == 1 || next_lane == lane => op = next,
                next => {
                    self.next = next;
                    return Over::Done;
                }
            }
        }
    }

    /// Judges what the subject showed of an op.
    #[inline]
    fn judge(&mut self, op: &C::Op, audits: Audits, journal: &mut Journal<'_>) -> Option<Ended> {
        let step = Step::Op(self.index);
        let verdict = self.model.judge(op, self.seen);
        journal.ops += 1;
        match verdict {
            Verdict::Agree => {}
            Verdict::Diverge(divergence) => return self.broken(op, divergence),
            Verdict::Moot(reason) => return Some(Ended::Moot { op: self.index, reason }),
        }
        journal.counts[(C::op_kind(op) * CLASSES + C::outcome_class(self.seen)) & (COUNTS - 1)] += 1;
        if let Some(features) = journal.features.as_deref_mut() {
            self.model.features(op, self.seen, &mut StateMap::new(features));
        }
        if audits == Audits::EveryStep
            && let Verdict::Diverge(divergence) = audit::<C>(self.model, self.subject.get(), self.view, Depth::Full)
        {
            let is_known = self.accepted.meet(C::NAME, C::OP_KINDS[C::op_kind(op)], &divergence);
            return Some(if is_known { Ended::Known { op: self.index } } else { Ended::Diverged { step, divergence } });
        }
        self.index += 1;
        None
    }

    /// A law was broken: the trace is over, unless that is accepted and the model can take the step all the same.
    #[cold]
    fn broken(&mut self, op: &C::Op, divergence: Divergence) -> Option<Ended> {
        if !self.accepted.meet(C::NAME, C::OP_KINDS[C::op_kind(op)], &divergence) {
            return Some(Ended::Diverged { step: Step::Op(self.index), divergence });
        }
        if !self.model.accept(op, self.seen, &divergence) {
            return Some(Ended::Known { op: self.index });
        }
        self.index += 1;
        None
    }
}
