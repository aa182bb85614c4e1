//! The rig of a component: everything the harness needs to put it to the test besides its model. Wire form, generator,
//! simpler variants for the shrinker, and the words of its explanations. A rig judges nothing.

#[cfg(feature = "brk_heap")]
pub mod brk_heap;
#[cfg(feature = "guest_memory")]
pub mod guest_memory;
#[cfg(feature = "header_free")]
pub mod header_free;
#[cfg(feature = "heap")]
pub mod heap;
#[cfg(feature = "page_walk")]
pub mod page_walk;
// What components share is not all used where one is built alone. The build of all finds what nobody uses.
#[cfg_attr(not(feature = "default"), allow(dead_code))]
mod repeat;
#[cfg_attr(not(feature = "default"), allow(dead_code))]
pub mod rust_test;
#[cfg(feature = "temp_map")]
pub mod temp_map;
#[cfg_attr(not(feature = "default"), allow(dead_code))]
mod weighted;

use crate::finding::Failure;
use crate::random::Random;
use crate::rig::rust_test::{NoTest, Room, TestBody};
use memtwin_models::wire::{Parts, Reader, Writer};
use memtwin_models::{Component, Divergence, Lane, Law};
use serde::{Serialize, de::DeserializeOwned};

/// What the harness needs of a component besides its model. The parts are traits of their own, each implemented in the
/// file that has the code; those with defaults are for components that have no more to say.
pub trait Rig:
    Component<Setup: Serialize + DeserializeOwned, Op: Serialize + DeserializeOwned, Contract: PartialEq>
    + Wire
    + Simplify
    + SmallWorld
    + Words
    + Explain
    + Export
    + Join
{
    /// Draws setups and ops.
    type Generator: Generator<Self>;
}

/// The wire form of setups and ops.
pub trait Wire: Component {
    /// The addresses and sizes that matter in a setup: what operands of ops are written relative to.
    type Edges: Sync;

    /// The edges of this setup.
    fn edges(setup: &Self::Setup) -> Self::Edges;
    /// Says what is wrong with a setup that a person wrote.
    fn check_setup(setup: &Self::Setup) -> Result<(), &'static str>;
    /// Reads a setup from any bytes.
    fn read_setup(reader: &mut Reader<'_>) -> Self::Setup;
    /// Writes a setup.
    fn write_setup(setup: &Self::Setup, writer: &mut Writer<'_>);
    /// Reads the op with this tag: 0 to 255 are the tags of version 1, those up to 495 of ops that came later. `None`
    /// where no op has it.
    fn read_op(tag: u16, edges: &Self::Edges, reader: &mut Reader<'_>) -> Option<Self::Op>;
    /// Whether the op came later than version 1: its tags are from 256 on, at least four.
    fn is_later(_op: &Self::Op) -> bool {
        false
    }
    /// Reads the optional part with this name into a setup that has none of that name yet, or an earlier one. An
    /// unknown name changes nothing. [`Wire::edges`] are those of what comes of it.
    fn read_part(_setup: &mut Self::Setup, _name: u8, _part: &mut Reader<'_>) {}
    /// Adds the optional parts of a setup: those that say something else than their absence.
    fn write_parts(_setup: &Self::Setup, _parts: &mut Parts) {}
    /// Writes an op: its tag, then its operands.
    fn write_op(edges: &Self::Edges, op: &Self::Op, writer: &mut Writer<'_>);
}

/// What the shrinker tries. Without it, it can only leave ops out.
pub trait Simplify: Component {
    /// Simpler setups, the simplest first.
    fn simpler_setups(_setup: &Self::Setup) -> Vec<Self::Setup> {
        Vec::new()
    }

    /// Simpler ops that may show the same, the simplest first. Each is smaller by an order without cycles, so that
    /// shrinking ends.
    fn simpler_ops(_setup: &Self::Setup, _op: &Self::Op) -> Vec<Self::Op> {
        Vec::new()
    }

    /// Simpler forms of setup and ops at once, for operands that only mean something together: an address that two ops
    /// share, or one that lies at the end of memory. The same order holds for their sum. Each op has the place of the
    /// one that it is a form of.
    fn simpler_together(_setup: &Self::Setup, _ops: &[Self::Op]) -> Vec<(Self::Setup, Vec<Self::Op>)> {
        Vec::new()
    }
}

/// What the exhaustive engine runs.
pub trait SmallWorld: Component {
    /// Starts and ops: few, right and wrong ones, at the operands where something changes. Nothing where the engine has
    /// nothing to run.
    fn small() -> Small<Self> {
        Small { starts: Vec::new(), ops: Vec::new() }
    }
}

/// A component's own words for what is run and seen.
pub trait Words: Component {
    /// The setup.
    fn setup_words(setup: &Self::Setup) -> String {
        format!("{setup:?}")
    }

    /// The op.
    fn op_words(op: &Self::Op) -> String {
        format!("{op:?}")
    }

    /// The place of a divergence.
    fn place_words(place: u64) -> String {
        format!("{place:#x}")
    }

    /// The outcome of an op.
    fn seen_words(_op: &Self::Op, seen: &Self::Outcome) -> String {
        format!("{seen:?}")
    }
}

/// What a person should see of a failure.
pub trait Explain: Component {
    /// The place where a divergence was: a small map, which write a wrong byte came from.
    fn scene(_scene: &Scene<'_, Self>) -> Vec<String> {
        Vec::new()
    }

    /// What the audit saw that broke the law, in a sentence.
    fn state_words(scene: &Scene<'_, Self>) -> String {
        format!("{:?}", scene.view)
    }

    /// What is probably wrong, from the whole incident; `None` where nothing more can be said than the law's hint does.
    fn diagnose(_incident: &Incident<'_, Self>) -> Option<String> {
        None
    }
}

/// Findings as tests that need nothing of memtwin.
pub trait Export: Component {
    /// Laws whose findings a Rust test of this component cannot show, so that it would pass.
    const UNSHOWN_LAWS: &'static [Law] = &[];

    /// The trace as a test, or why it cannot be one.
    fn rust_test(_setup: &Self::Setup, _ops: &[Self::Op], _room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        Err(NoTest::Refused("this component has no form of a test: hand over the trace, and replay it with memtwin"))
    }

    /// The trace as a program in C, or why it cannot be one.
    fn c_program(
        _setup: &Self::Setup,
        _ops: &[Self::Op],
        _about: &About<'_>,
        _room: &mut Room<'_>,
    ) -> Result<TestBody, NoTest> {
        Err(NoTest::Refused("only allocators have an interface in C: try --to rust-test"))
    }
}

/// How traces that one process runs in a row become one trace, for what a trace finds because of those before it.
pub trait Join: Component {
    /// Whether something of a subject with this contract may outlive the end of a trace: it has no reset that takes all
    /// away.
    fn outlives_traces(_contract: &Self::Contract) -> bool {
        false
    }

    /// The setups under which traces with these setups may run as one, the likeliest first. The last is that of the
    /// trace that failed.
    fn joined_setups(_earlier: &[&Self::Setup], last: &Self::Setup) -> Vec<Self::Setup> {
        vec![last.clone()]
    }

    /// What the end of a trace does, as ops: these threads end, then the subject is reset.
    fn trace_end(_threads: &[Lane]) -> Vec<(Lane, Self::Op)> {
        Vec::new()
    }
}

/// What a program in C is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The freedoms that the subject claims.
    pub claimed: &'a [&'static str],
    /// The law that the finding breaks, if it breaks one.
    pub law: Option<&'a str>,
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

/// What a generator draws, for those who want to know what a campaign tries. Nothing is drawn by it.
#[derive(Debug, Clone, Copy)]
pub struct Drawn {
    /// The relative weight of each kind of op, in the order of [`Component::OP_KINDS`]; none where it has no weights.
    pub weights: &'static [u32],
    /// Sentences, each with what it is about: `setup`, `trace`, kinds of ops, operands.
    pub sentences: &'static [(&'static [&'static str], &'static str)],
}

/// Draws setups and ops with a stable stream: the same random numbers give the same ops on every platform.
pub trait Generator<C: Component> {
    /// What it draws, in words.
    const DRAWN: Drawn = Drawn { weights: &[], sentences: &[] };

    /// A generator that respects what the contract says a subject cannot serve.
    fn new(contract: &C::Contract) -> Self;
    /// Draws a setup.
    fn setup(&mut self, random: &mut Random) -> C::Setup;
    /// How many threads traces with this setup have, up to [`Component::LANES`]. Who carries out which op is drawn by
    /// the engine.
    fn lanes(_setup: &C::Setup) -> u8 {
        1
    }
    /// Whether ops that came later than version 1 may be drawn in the trace that was begun.
    fn draws_later(&self) -> bool {
        false
    }
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
    /// The model, as it was when it said so.
    pub model: &'a C::Model,
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
    pub failure: &'a Failure,
    /// The broken law; none where the process died.
    pub law: Option<&'static Law>,
}
