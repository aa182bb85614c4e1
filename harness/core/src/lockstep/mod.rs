//! Runs one trace on one subject beside the model, op by op, straight from wire bytes. The loop allocates nothing,
//! formats nothing and makes no system call of its own; all explaining happens on a second run of the one trace that
//! matters.

mod head;
mod narrator;
mod pace;
mod run;
mod told;

pub use crate::vacuity::{CLASSES, COUNTS, KINDS};
use head::KnownHead;
pub use narrator::Narrator;
pub(crate) use narrator::narrate;
pub use pace::Round;
pub(crate) use pace::rounds;
#[cfg(feature = "bench")]
pub(crate) use pace::{ROUNDS, STREAM};
pub(crate) use told::Told;
pub use told::{ByteDifference, LINE_BYTES};

use run::Run;

use crate::accepted::Accepted;
use crate::finding::{Ending, Failure, Step};
use crate::rig::Rig;
use crate::trace::{Ops, read_head};
use crate::turns::{Lent, Turns};
use memtwin_models::wire::{Reader, Version};
use memtwin_models::{AnySubject, Depth, Divergence, Lane, MOST_LANES, Model as _, Row, StateMap, Verdict};
use std::sync::atomic::{AtomicU32, Ordering};

/// The random engine audits in full, and notes features, in each trace whose number is a multiple of this: both cost
/// about as much as a fifth of the trace, and traces of one setup and mix are alike.
pub const CLOSE_LOOK_EVERY: u64 = 16;

/// Where the run notes what it does, so that nothing is lost when the subject takes the process with it.
#[derive(Debug)]
pub struct Journal<'a> {
    /// The step of the trace, as [`number_of`] numbers it.
    pub step: &'a AtomicU32,
    /// How often each (op kind, outcome class) was seen: `kind * CLASSES + class`.
    pub counts: &'a mut [u64; COUNTS],
    /// The state map, for runs that note features.
    pub features: Option<&'a mut [u8; StateMap::SIZE]>,
    /// Ops carried out by the runs so far, without those of a run that did not return.
    pub ops: u64,
}

const CONSTRUCT: u32 = u32::MAX;
const AUDIT: u32 = u32::MAX - 1;
const TEARDOWN: u32 = u32::MAX - 2;

/// A step as a number, as the journal holds it.
#[must_use]
pub const fn number_of(step: Step) -> u32 {
    match step {
        Step::Construct => CONSTRUCT,
        Step::Audit => AUDIT,
        Step::Teardown => TEARDOWN,
        Step::Op(index) => index,
    }
}

/// The step that the journal holds as a number.
#[must_use]
pub const fn step_of(number: u32) -> Step {
    match number {
        CONSTRUCT => Step::Construct,
        AUDIT => Step::Audit,
        TEARDOWN => Step::Teardown,
        index => Step::Op(index),
    }
}

impl Journal<'_> {
    #[inline]
    fn at(&self, step: Step) {
        self.step.store(number_of(step), Ordering::Relaxed);
    }
}

/// Why a trace is moot that met a known finding.
pub(crate) const BEHIND_KNOWN: &str = "the model does not know the state behind this known finding";
/// The audit's part in signatures.
pub(crate) const AUDIT_KIND: &str = "audit";

/// How a run ended, without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The subject agreed to the end.
    Agreed,
    /// The contract says nothing from this op on.
    Moot {
        /// The index of the op.
        op: u32,
        /// Why.
        reason: &'static str,
    },
    /// The subject's contract does not serve the setup, or the subject cannot.
    Unsupported(&'static str),
    /// A law was broken as a list of known findings accepts it, and the model does not know what state the subject is
    /// in.
    Known {
        /// The index of the op.
        op: u32,
    },
    /// A law was broken.
    Diverged {
        /// Where.
        step: Step,
        /// Which law.
        divergence: Divergence,
    },
}

impl From<Ended> for Ending {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Agreed => Ending::Agreed,
            Ended::Moot { op, reason } => Ending::Moot { op, reason: reason.to_owned() },
            Ended::Known { op } => Ending::Moot { op, reason: BEHIND_KNOWN.to_owned() },
            Ended::Unsupported(reason) => Ending::Unsupported(reason.to_owned()),
            Ended::Diverged { step, divergence } => Ending::Failed(Failure { step, cause: (&divergence).into() }),
        }
    }
}

/// When the state is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Audits {
    /// After the last op, cheaply.
    Sample = 0,
    /// After the last op, in full.
    Full = 1,
    /// In full after every op.
    EveryStep = 2,
}

/// A subject and its model in lockstep, with the types erased: one dynamic call a trace.
pub trait Runner {
    /// Runs a trace to its end or its first divergence. The subject may take the process with it.
    fn run(&mut self, wire: &[u8], audits: Audits, journal: &mut Journal<'_>) -> Ended;
    /// Whether the subject was reset after the last trace, so that the next one need not build it.
    fn was_reset(&self) -> bool;
    /// Drops the subject.
    fn finish(&mut self, journal: &mut Journal<'_>);
    /// The broken laws that the next runs go on behind: none, as long as nobody says so.
    fn accepted(&mut self) -> &mut Accepted;
}

/// The runner of a subject. It is compiled once a component: the subject is one dynamic call an op.
pub struct Lockstep<C: Rig> {
    row: &'static Row<C>,
    /// They end before the subject does.
    turns: Turns,
    known: KnownHead,
    stage: Option<Stage<C>>,
    subject: Option<Box<dyn AnySubject<C>>>,
    seen: C::Outcome,
    view: C::View,
    accepted: Accepted,
}

struct Stage<C: Rig> {
    setup: C::Setup,
    edges: C::Edges,
    model: C::Model,
}

impl<C: Rig> Lockstep<C> {
    /// A runner without a subject; the first trace builds it.
    #[must_use]
    pub fn new(row: &'static Row<C>) -> Self {
        const {
            assert!(C::OP_KINDS.len() <= KINDS, "the table of counts has no room for so many kinds of ops");
            assert!(C::OUTCOME_CLASSES.len() <= CLASSES, "the table of counts has no room for so many classes");
            assert!(0 < C::LANES && C::LANES <= MOST_LANES, "a trace has one thread or a few");
        }
        Lockstep {
            row,
            turns: Turns::default(),
            known: KnownHead::default(),
            stage: None,
            subject: None,
            seen: C::Outcome::default(),
            view: C::View::default(),
            accepted: Accepted::default(),
        }
    }

    /// Makes the stage for the trace's setup; returns how the trace is written and where its ops begin.
    fn set_stage(&mut self, wire: &[u8], journal: &Journal<'_>) -> (Version, usize) {
        if let Some(begin) = self.known.end(wire) {
            return begin;
        }
        let mut reader = Reader::new(wire);
        let (version, setup, setup_end) = read_head::<C>(&mut reader);
        self.known.set(wire, setup_end, reader.position());
        journal.at(Step::Teardown);
        self.subject = None;
        let edges = C::edges(&setup);
        let model = match self.stage.take() {
            Some(Stage { mut model, .. }) => {
                model.reset(&setup);
                model
            }
            None => C::Model::new(&setup, &self.row.contract),
        };
        self.stage = Some(Stage { setup, edges, model });
        (version, reader.position())
    }

    fn play(
        &mut self,
        wire: &[u8],
        (version, start): (Version, usize),
        audits: Audits,
        journal: &mut Journal<'_>,
    ) -> Ended {
        let Some(Stage { setup, edges, model }) = &mut self.stage else { return Ended::Agreed };
        let subject = match &mut self.subject {
            Some(subject) => subject,
            vacant => {
                journal.at(Step::Construct);
                match self.row.construct(setup) {
                    Ok(subject) => vacant.insert(subject),
                    Err(unsupported) => return Ended::Unsupported(unsupported.0),
                }
            }
        };
        let mut ops = Ops::<C>::new(version, edges, Reader::at(wire, start));
        let next = ops.next();
        let (seen, view, accepted) = (&mut self.seen, &mut self.view, &mut self.accepted);
        let subject = Lent(&mut **subject);
        let run = Run { ops, next, index: 0, last_lane: Lane::FIRST, model, subject, seen, view, accepted };
        run.play(&mut self.turns, audits, journal)
    }
}

/// Tells the model where the next op is another thread's.
#[inline]
fn tell_turn<C: Rig>(model: &mut C::Model, lane: Lane, last_lane: &mut Lane) {
    if 1 < C::LANES && lane != *last_lane {
        model.turn(lane);
        *last_lane = lane;
    }
}

pub(crate) fn audit<C: Rig>(
    model: &C::Model,
    subject: &mut dyn AnySubject<C>,
    view: &mut C::View,
    depth: Depth,
) -> Verdict {
    model.survey(depth, view);
    subject.view(view);
    model.audit(view)
}

impl<C: Rig> Runner for Lockstep<C> {
    fn run(&mut self, wire: &[u8], audits: Audits, journal: &mut Journal<'_>) -> Ended {
        let start = self.set_stage(wire, journal);
        let ended = self.play(wire, start, audits, journal);
        journal.at(Step::Teardown);
        if 1 < C::LANES {
            self.turns.end_all();
        }
        let Some(Stage { setup, model, .. }) = &mut self.stage else { return ended };
        model.reset(setup);
        // A subject that diverged is not trusted to reset itself.
        let reusable = !matches!(ended, Ended::Diverged { .. } | Ended::Known { .. })
            && self.subject.as_mut().is_some_and(|s| s.reset(setup));
        if !reusable {
            self.subject = None;
        }
        ended
    }

    fn was_reset(&self) -> bool {
        self.subject.is_some()
    }

    fn finish(&mut self, journal: &mut Journal<'_>) {
        journal.at(Step::Teardown);
        self.subject = None;
    }

    fn accepted(&mut self) -> &mut Accepted {
        &mut self.accepted
    }
}
