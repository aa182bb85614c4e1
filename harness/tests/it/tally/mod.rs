//! A component with four threads, as small as one can be: what only traces with lanes need is tested on it. Its model
//! knows which thread counted how often, so that an op on a wrong thread, or on one that outlived its trace, is seen.

mod rig;

use memtwin::Target;
use memtwin::models::picture::{ByteRows, Picture};
use memtwin::models::{
    Component, Contract, Depth, Divergence, Effect, Freedom, Health, Lane, Law, MOST_LANES, Model, OutcomeClass, Row,
    StateMap, Subject, Unsupported, Verdict,
};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The component.
#[derive(Debug)]
pub(crate) struct Tally;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// How many threads drawn traces have.
    pub(crate) threads: u8,
    /// What counting begins at: an optional part.
    #[serde(default)]
    pub(crate) start: u8,
}

/// Each is a call on the thread of its lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Op {
    /// How often this thread has counted.
    Count,
    /// What all threads have added up to.
    Add { number: u8 },
    /// The thread ends.
    Exit,
    /// What a misdeed does, if the subject has one.
    Misbehave { how: u8 },
    /// An op whose tag takes two bytes in version 2.
    Long { number: u8 },
    /// An op that version 1 does not know.
    Later { number: u8 },
}

pub(crate) const KINDS: [&str; 6] = ["count", "add", "exit", "misbehave", "long", "later"];

impl Op {
    pub(crate) fn kind(&self) -> usize {
        match self {
            Op::Count => 0,
            Op::Add { .. } => 1,
            Op::Exit => 2,
            Op::Misbehave { .. } => 3,
            Op::Long { .. } => 4,
            Op::Later { .. } => 5,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NoFreedom;

impl Contract for NoFreedom {
    const STRICT: Self = NoFreedom;
    const FREEDOMS: &'static [Freedom] = &[];

    fn claimed(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

const COUNT: Law = Law::new("count", "Each thread counts for itself, from the start, and anew once it has ended.");
const SUM: Law = Law::new("sum", "All threads add to one sum.");

impl Component for Tally {
    const NAME: &'static str = "tally";
    const LAWS: &'static [Law] = &[COUNT, SUM];
    const OP_KINDS: &'static [&'static str] = &KINDS;
    const OUTCOME_CLASSES: &'static [OutcomeClass] = &[OutcomeClass { name: "done", effect: Effect::Success }];
    const LANES: u8 = MOST_LANES;

    type Setup = Setup;
    type Op = Op;
    type Outcome = Outcome;
    type Contract = NoFreedom;
    type View = ();
    type Model = TallyModel;

    fn op_kind(op: &Op) -> usize {
        op.kind()
    }

    fn outcome_class(_seen: &Outcome) -> usize {
        0
    }

    fn permits(_contract: &NoFreedom, _op_kind: usize, _outcome_class: usize) -> bool {
        true
    }

    fn ends_thread(op: &Op) -> bool {
        *op == Op::Exit
    }
}

#[derive(Debug)]
pub(crate) struct TallyModel {
    start: u64,
    lane: Lane,
    counts: [u64; MOST_LANES as usize],
    sum: u64,
}

impl Model<Tally> for TallyModel {
    fn new(setup: &Setup, _contract: &NoFreedom) -> Self {
        let start = u64::from(setup.start);
        TallyModel { start, lane: Lane::FIRST, counts: [start; MOST_LANES as usize], sum: 0 }
    }

    fn reset(&mut self, setup: &Setup) {
        *self = Self::new(setup, &NoFreedom);
    }

    fn turn(&mut self, lane: Lane) {
        assert_ne!(lane, self.lane, "a turn that is none");
        self.lane = lane;
    }

    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        let count = &mut self.counts[self.lane.index()];
        let (expected, law) = match op {
            Op::Count => {
                *count += 1;
                (*count, &COUNT)
            }
            Op::Add { number } | Op::Long { number } | Op::Later { number } => {
                self.sum += u64::from(*number);
                (self.sum, &SUM)
            }
            Op::Exit => {
                if self.lane != Lane::FIRST {
                    *count = self.start;
                }
                (0, &COUNT)
            }
            Op::Misbehave { .. } => (0, &COUNT),
        };
        if seen.number == expected { Verdict::Agree } else { Verdict::diverge(law, "number") }
    }

    fn allowed(&self, _op: &Op) -> String {
        "what this thread counts".to_owned()
    }

    fn picture(&self, _op: Option<&Op>) -> Picture {
        Picture::default()
    }

    fn byte_rows(&self, _op: &Op, _seen: &Outcome) -> Option<ByteRows> {
        None
    }

    fn survey(&self, _depth: Depth, _view: &mut ()) {}

    fn audit(&self, _view: &()) -> Verdict {
        Verdict::Agree
    }

    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        let count = usize::try_from(seen.number.min(15)).unwrap_or(15);
        sink.hit((self.lane.index() * KINDS.len() + op.kind()) * 16 + count);
    }
}

/// What a thread has of a subject. It lives as long as the thread.
struct Here {
    count: u64,
    live: Arc<AtomicU32>,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// What `Misbehave` does.
pub(crate) trait Misdeed: 'static {
    const NAME: &'static str;
    const HEALTH: Health = Health::Sound;
    fn at_build() {}
    fn misbehave(how: u8);
    fn after(_op: &Op, _seen: &mut Outcome) {}
}

/// It counts as it should, on whichever thread it is called.
pub(crate) struct Counter<M> {
    start: u64,
    sum: u64,
    live: Arc<AtomicU32>,
    misdeed: PhantomData<M>,
}

impl<M: Misdeed> Subject<Tally> for Counter<M> {
    const NAME: &'static str = M::NAME;
    const HEALTH: Health = M::HEALTH;
    const CONTRACT: NoFreedom = NoFreedom;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        M::at_build();
        HERE.set(None);
        Ok(Counter { start: setup.start.into(), sum: 0, live: Arc::default(), misdeed: PhantomData })
    }

    fn reset(&mut self, _setup: &Setup) -> bool {
        HERE.set(None);
        assert_eq!(self.live.load(Ordering::SeqCst), 0, "a thread outlived its trace");
        self.sum = 0;
        true
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.number = 0;
        match op {
            Op::Count => HERE.with_borrow_mut(|here| {
                let here = here.get_or_insert_with(|| {
                    self.live.fetch_add(1, Ordering::SeqCst);
                    Here { count: self.start, live: Arc::clone(&self.live) }
                });
                here.count += 1;
                seen.number = here.count;
            }),
            Op::Add { number } | Op::Long { number } | Op::Later { number } => {
                self.sum += u64::from(*number);
                seen.number = self.sum;
            }
            Op::Exit => {}
            Op::Misbehave { how } => M::misbehave(*how),
        }
        M::after(op, seen);
    }
}

/// Does nothing wrong.
pub(crate) struct Right;

impl Misdeed for Right {
    const NAME: &'static str = "right";

    fn misbehave(_how: u8) {}
}

pub(crate) const RIGHT: &dyn Target = &Row::<Tally>::of::<Counter<Right>>();

/// The divergence of a count.
pub(crate) const WRONG_COUNT: Divergence = Divergence { law: "count", field: "number", place: None };
