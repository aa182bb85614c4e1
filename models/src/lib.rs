//! The vocabulary of memtwin, and the models that judge.
//!
//! A *component* is a kind of memory code (guest memory, a heap, page tables). A *subject* is one implementation of it.
//! A *model* is the simple twin of the component: it sees each op and the outcome that the subject showed, and says
//! whether the contract allows it. This crate refuses to do anything else: no I/O, clock, threads, randomness or unsafe
//! code, and no model knows a subject.
#![forbid(unsafe_code)]

// What components share is not all used where one is built alone. The build of all finds what nobody uses.
#[cfg_attr(not(feature = "default"), allow(dead_code, unreachable_pub))]
mod allocation;
#[cfg(feature = "brk_heap")]
pub mod brk_heap;
#[cfg_attr(not(feature = "default"), allow(dead_code, unused_imports, unused_macros))]
mod contract;
#[cfg(feature = "guest_memory")]
pub mod guest_memory;
#[cfg(feature = "header_free")]
pub mod header_free;
#[cfg(feature = "heap")]
pub mod heap;
pub mod hex;
mod lane;
#[cfg_attr(not(feature = "default"), allow(dead_code, unused_imports, unused_macros))]
pub mod operand;
#[cfg(feature = "page_walk")]
pub mod page_walk;
pub mod payload;
pub mod picture;
mod state_map;
mod subject;
#[cfg(feature = "temp_map")]
pub mod temp_map;
mod verdict;
pub mod vocabulary;
pub mod wire;

pub use contract::{Contract, Freedom};
pub use lane::{Lane, MOST_LANES};
pub use payload::Payload;
pub use state_map::StateMap;
pub use subject::{AnySubject, Build, Health, Origin, Row, Subject, Unsupported};
pub use verdict::{Divergence, Law, Verdict};

use picture::{ByteRows, Picture};
use std::fmt::Debug;
use vocabulary::Vocabulary;

/// A kind of memory code: its words, its laws and its model.
pub trait Component: Sized + 'static {
    /// The name used on the command line, in traces and as a folder name.
    const NAME: &'static str;
    /// Every law that the model judges. A divergence names one of them.
    const LAWS: &'static [Law];
    /// The names of the op kinds, indexed by [`Component::op_kind`].
    const OP_KINDS: &'static [&'static str];
    /// The classes of outcomes, indexed by [`Component::outcome_class`].
    const OUTCOME_CLASSES: &'static [OutcomeClass];
    /// How many threads a trace may have, up to [`MOST_LANES`]. Where it is more than one, subjects are called from
    /// several threads, though never from two at once: they must bear that, as if they were `Send`.
    const LANES: u8 = 1;

    /// Its words, for those who read: [`vocabulary!`] makes them where its types derive
    /// [`Described`](trait@vocabulary::Described).
    const VOCABULARY: Vocabulary = Vocabulary::NONE;

    /// What is fixed before the first op: sizes, layouts, fault plans.
    type Setup: Clone + Debug + PartialEq + Send + Sync + 'static;
    /// One call. Total: legal in every state of every setup.
    type Op: Clone + Debug + PartialEq + Send + Sync + 'static;
    /// What a program could see of one call. Owns the buffers that bulk data lands in; reused for every op.
    type Outcome: Debug + Default + Send;
    /// The freedoms that a subject's documentation claims.
    type Contract: Contract;
    /// The state that a subject shows to the audit. Reused for every audit.
    type View: Debug + Default + Send;
    /// The reference model.
    type Model: Model<Self> + Send + Sync;

    /// The index of the op's kind in [`Component::OP_KINDS`].
    fn op_kind(op: &Self::Op) -> usize;
    /// The index of the outcome's class in [`Component::OUTCOME_CLASSES`].
    fn outcome_class(seen: &Self::Outcome) -> usize;
    /// Whether a subject with this contract can show this class for this kind of op at all. Campaigns hold a floor
    /// under every pair for which this is true.
    fn permits(contract: &Self::Contract, op_kind: usize, outcome_class: usize) -> bool;

    /// Whether the thread that carries out this op ends with it. The next op on its lane begins a new one. The first
    /// thread never ends.
    fn ends_thread(_op: &Self::Op) -> bool {
        false
    }

    /// Whether a subject with this contract serves such a setup at all. Under one that it does not, it is not even
    /// built.
    fn serves(_contract: &Self::Contract, _setup: &Self::Setup) -> Result<(), Unsupported> {
        Ok(())
    }

    /// Whether a subject with this contract is asked for such an op at all: engines make no others.
    fn asks(contract: &Self::Contract, op: &Self::Op) -> bool {
        let kind = Self::op_kind(op);
        let mut classes = Self::OUTCOME_CLASSES.iter().enumerate();
        classes.any(|(class, known)| known.effect != Effect::Skipped && Self::permits(contract, kind, class))
    }
}

/// One class of outcomes, as counted in run files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeClass {
    /// The name in run files.
    pub name: &'static str,
    /// Whether the op did what it was asked to do.
    pub effect: Effect,
}

/// What an outcome class says about the op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The op did what it was asked to do.
    Success,
    /// The op was refused or failed.
    Failure,
    /// The subject cannot do such an op, as its contract says; counted, and judged no further.
    Skipped,
}

/// The reference model of a component: judges what it saw; never predicts what the contract leaves open.
pub trait Model<C: Component>: Sized {
    /// A model in the state right after construction of a subject.
    fn new(setup: &C::Setup, contract: &C::Contract) -> Self;

    /// Returns to the state of [`Model::new`] with the same contract. Costs in proportion to what the last trace
    /// touched.
    fn reset(&mut self, setup: &C::Setup);

    /// Prepares the outcome's buffers before the subject sees the op (poison, for example), so that a subject that
    /// writes nothing, or too much, shows it.
    fn arrange(&self, _op: &C::Op, _seen: &mut C::Outcome) {}

    /// The next op is another thread's than the last one was: `lane` carries it out. A trace begins on [`Lane::FIRST`].
    fn turn(&mut self, _lane: Lane) {}

    /// Judges one outcome and, when it is allowed, takes the step with the subject.
    fn judge(&mut self, op: &C::Op, seen: &C::Outcome) -> Verdict;

    /// Takes the step although [`Model::judge`] has just said that it breaks a law, because a list of known findings
    /// accepts it. `false` where the outcome does not say what state the subject is in: then nothing more is judged,
    /// and the model is reset. A model that is in doubt says `false`, so that nothing is accused that only follows
    /// from what was accepted.
    fn accept(&mut self, _op: &C::Op, _seen: &C::Outcome, _divergence: &Divergence) -> bool {
        false
    }

    /// What [`Model::judge`] would allow for this op in this state, in words. Only explaining runs call it.
    fn allowed(&self, op: &C::Op) -> String;

    /// The state as a picture, with what the op asks for. Only explaining runs call it, before each op and at the
    /// audit.
    fn picture(&self, op: Option<&C::Op>) -> Picture;

    /// The bytes that [`Model::judge`] would hold against each other, in this state; `None` where the outcome shows
    /// none. Bytes that the model does not know are those that were seen. Only explaining runs call it.
    fn byte_rows(&self, op: &C::Op, seen: &C::Outcome) -> Option<ByteRows>;

    /// The first bytes of the state that [`Model::audit`] would hold against each other and that differ; `None` where
    /// none do, or the component shows no bytes. Only explaining runs call it.
    fn state_rows(&self, _view: &C::View) -> Option<ByteRows> {
        None
    }

    /// Writes into the view what the audit wants to be shown.
    fn survey(&self, depth: Depth, view: &mut C::View);

    /// Judges the state that the subject showed.
    fn audit(&self, view: &C::View) -> Verdict;

    /// Notes what was seen as features, called after an agreed step.
    fn features(&self, op: &C::Op, seen: &C::Outcome, sink: &mut StateMap<'_>);
}

/// How much an audit looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What costs little in comparison with the trace.
    Sample,
    /// Everything that the component can show in reasonable time.
    Full,
}
