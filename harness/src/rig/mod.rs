//! The rig of a component: everything the harness needs to put it to the test besides its model. Wire form, generator,
//! simpler variants for the shrinker, and the words of its explanations. A rig judges nothing.

pub mod brk_heap;
pub mod guest_memory;
pub mod header_free;
pub mod page_walk;
pub mod temp_map;

use crate::export::TestBody;
use crate::random::Random;
use crate::trace::wire::{Reader, Writer};
use memtwin_models::{Component, Divergence};
use serde::{Serialize, de::DeserializeOwned};

/// What the harness needs of a component.
pub trait Rig:
    Component<Setup: Serialize + DeserializeOwned, Op: Serialize + DeserializeOwned, Contract: PartialEq>
{
    /// Tables derived from the setup that the wire form of ops depends on.
    type Frame;
    /// Draws setups and ops.
    type Generator: Generator<Self>;

    /// The tables for this setup.
    fn frame(setup: &Self::Setup) -> Self::Frame;
    /// Reads a setup from any bytes.
    fn read_setup(reader: &mut Reader<'_>) -> Self::Setup;
    /// Writes a setup.
    fn write_setup(setup: &Self::Setup, writer: &mut Writer<'_>);
    /// Reads an op from any bytes; `None` at the end.
    fn read_op(frame: &Self::Frame, reader: &mut Reader<'_>) -> Option<Self::Op>;
    /// Writes an op in at least one byte.
    fn write_op(frame: &Self::Frame, op: &Self::Op, writer: &mut Writer<'_>);
    /// Says what is wrong with a setup that a person wrote.
    fn check_setup(setup: &Self::Setup) -> Result<(), &'static str>;

    /// Simpler setups, the simplest first.
    fn simpler_setups(setup: &Self::Setup) -> Vec<Self::Setup>;
    /// Simpler ops that may show the same, the simplest first. Each is smaller by an order without cycles, so that
    /// shrinking ends.
    fn simpler_ops(setup: &Self::Setup, op: &Self::Op) -> Vec<Self::Op>;
    /// Simpler forms of setup and ops at once, for operands that only mean something together: an address that two ops
    /// share, or one that lies at the end of memory.
    /// The same order holds for their sum.
    fn simpler_together(setup: &Self::Setup, ops: &[Self::Op]) -> Vec<(Self::Setup, Vec<Self::Op>)>;

    /// The starts and ops of the exhaustive engine: few, right and wrong ones, at the operands where something changes.
    fn small() -> Small<Self>;

    /// The setup in the component's words.
    fn setup_words(setup: &Self::Setup) -> String;
    /// The op in the component's words.
    fn op_words(op: &Self::Op) -> String;
    /// The outcome in the component's words.
    fn seen_words(op: &Self::Op, seen: &Self::Outcome) -> String;
    /// What a person should see of the place where a divergence was: a small map, which write a wrong byte came from.
    fn scene(scene: &Scene<'_, Self>) -> Vec<String>;
    /// What the audit saw that broke the law, in a sentence.
    fn state_words(scene: &Scene<'_, Self>) -> String;
    /// What is probably wrong, from the whole incident; `None` where nothing more than the law can be said.
    fn diagnose(incident: &Incident<'_, Self>) -> Option<String>;
    /// The trace as a test that needs nothing of memtwin, or why it cannot be one.
    fn rust_test(setup: &Self::Setup, ops: &[Self::Op]) -> Result<TestBody, &'static str>;
}

/// A small world, all of whose short traces are run.
#[derive(Debug)]
pub struct Small<C: Component> {
    /// What every trace begins with.
    pub starts: Vec<Start<C>>,
    /// What may follow, in any order.
    pub ops: Vec<C::Op>,
}

/// The beginning of a trace.
#[derive(Debug)]
pub struct Start<C: Component> {
    /// The setup.
    pub setup: C::Setup,
    /// The ops that lead to where something can happen at all; none in most components.
    pub opening: Vec<C::Op>,
}

/// Draws setups and ops with a stable stream: the same random numbers give the same ops on every platform.
pub trait Generator<C: Component> {
    /// A generator that respects what the contract says a subject cannot serve.
    fn new(contract: &C::Contract) -> Self;
    /// Draws a setup.
    fn setup(&mut self, random: &mut Random) -> C::Setup;
    /// Begins a trace: draws its swarm weights.
    fn begin(&mut self, setup: &C::Setup, random: &mut Random);
    /// Draws the next op.
    fn op(&mut self, random: &mut Random) -> C::Op;
}

/// The state of affairs at a divergence, inside the worker that saw it.
pub struct Scene<'a, C: Component> {
    /// The setup.
    pub setup: &'a C::Setup,
    /// The ops up to and with the one that diverged (all of them at an audit).
    pub ops: &'a [C::Op],
    /// Whether each earlier op succeeded.
    pub succeeded: &'a [bool],
    /// What was seen of the last op; stale at an audit.
    pub seen: &'a C::Outcome,
    /// The view, at an audit.
    pub view: Option<&'a C::View>,
    /// The divergence.
    pub divergence: &'a Divergence,
}

/// What is known of a finding after the run.
pub struct Incident<'a, C: Component> {
    /// The setup.
    pub setup: &'a C::Setup,
    /// The ops up to and with the one at fault; none of them at construction.
    pub ops: &'a [C::Op],
    /// How it failed.
    pub failure: &'a crate::finding::Failure,
}
