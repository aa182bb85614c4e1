//! Targets: a subject beside its component's model, with the types erased, so that engines and the command line see
//! bytes and a target, never a component. Nothing here is compiled anew for a subject: its row has all that differs.

use crate::engines::TraceSource;
use crate::engines::exhaustive::SmallTraces;
use crate::engines::random::Generated;
use crate::finding::{Cause, Failure, Signature, Step};
use crate::lockstep::{self, Ended, Lockstep, Narrator, Round, Runner};
use crate::mutate::{ComponentCutter, Cutter};
use crate::rig::rust_test::{NoTest, Room, TestBody};
use crate::rig::{About, Drawn, Generator as _, Incident, Rig};
use crate::shrink;
use crate::trace::{Header, Trace, TraceError, parse, print};
use memtwin_models::vocabulary::Vocabulary;
use memtwin_models::{Contract as _, Health, Lane, Law, Origin, OutcomeClass, Row};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32};

/// A component with its types erased: its forms and its words.
pub trait Dialect: Sync {
    /// The component's name.
    fn name(&self) -> &'static str;
    /// How many threads its traces may have.
    fn lanes(&self) -> u8;
    /// Its laws.
    fn laws(&self) -> &'static [Law];
    /// Its op kinds.
    fn op_kinds(&self) -> &'static [&'static str];
    /// Its outcome classes.
    fn outcome_classes(&self) -> &'static [OutcomeClass];
    /// The freedoms its contract knows.
    fn freedoms(&self) -> &'static [memtwin_models::Freedom];
    /// Its words.
    fn vocabulary(&self) -> Vocabulary;
    /// What its generator draws.
    fn drawn(&self) -> Drawn;
    /// Reads a JSON trace whose header is known into wire bytes.
    fn parse(&self, path: &Path, header: &Header, text: &str) -> Result<Vec<u8>, TraceError>;
    /// Writes wire bytes as a JSON trace.
    fn print(&self, wire: &[u8], header: &Header) -> String;
    /// The canonical form of any bytes.
    fn canonical(&self, wire: &[u8]) -> Vec<u8>;
    /// The number of ops.
    fn op_count(&self, wire: &[u8]) -> usize;
    /// The setup, and the ops with these numbers, in words.
    fn words(&self, wire: &[u8], ops: Range<usize>) -> (String, Vec<String>);
    /// The signature of a failure.
    fn signature(&self, wire: &[u8], failure: &Failure) -> Signature;
    /// What is probably wrong.
    fn diagnose(&self, wire: &[u8], failure: &Failure) -> Option<String>;
    /// The trace as a test that needs nothing of memtwin, or why it cannot be one.
    fn rust_test(&self, wire: &[u8], interrupted: &AtomicBool) -> Result<TestBody, NoTest>;
    /// The laws whose findings such a test cannot show.
    fn unshown_laws(&self) -> &'static [Law];
    /// The trace as a program in C, or why it cannot be one.
    fn c_program(&self, wire: &[u8], about: &About<'_>, interrupted: &AtomicBool) -> Result<TestBody, NoTest>;
    /// Whether its small world has a start.
    fn has_small_world(&self) -> bool;
}

/// A component's dialect.
struct Spoken<C>(PhantomData<fn() -> C>);

impl<C: Rig> Spoken<C> {
    const NEW: &'static dyn Dialect = &Spoken::<C>(PhantomData);
}

/// Refuses a trace that no exported test can carry out.
fn of_one_thread<C: Rig>(trace: &Trace<C>) -> Result<(), NoTest> {
    if trace.has_lanes() {
        return Err(NoTest::Refused(
            "its ops lie on several threads, and a test has one: hand over the trace, and replay it with memtwin",
        ));
    }
    Ok(())
}

impl<C: Rig> Dialect for Spoken<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn lanes(&self) -> u8 {
        C::LANES
    }

    fn laws(&self) -> &'static [Law] {
        C::LAWS
    }

    fn op_kinds(&self) -> &'static [&'static str] {
        C::OP_KINDS
    }

    fn outcome_classes(&self) -> &'static [OutcomeClass] {
        C::OUTCOME_CLASSES
    }

    fn freedoms(&self) -> &'static [memtwin_models::Freedom] {
        C::Contract::FREEDOMS
    }

    fn vocabulary(&self) -> Vocabulary {
        C::VOCABULARY
    }

    fn drawn(&self) -> Drawn {
        C::Generator::DRAWN
    }

    fn parse(&self, path: &Path, header: &Header, text: &str) -> Result<Vec<u8>, TraceError> {
        parse::<C>(path, header, text).map(|trace| trace.to_wire())
    }

    fn print(&self, wire: &[u8], header: &Header) -> String {
        print(&Trace::<C>::from_wire(wire), header)
    }

    fn canonical(&self, wire: &[u8]) -> Vec<u8> {
        Trace::<C>::from_wire(wire).to_wire()
    }

    fn op_count(&self, wire: &[u8]) -> usize {
        Trace::<C>::from_wire(wire).ops().len()
    }

    fn words(&self, wire: &[u8], ops: Range<usize>) -> (String, Vec<String>) {
        let trace = Trace::<C>::from_wire(wire);
        let words = |(lane, op): (Lane, &C::Op)| match (lane, C::op_words(op)) {
            (Lane::FIRST, words) => words,
            (lane, words) => format!("thread {}: {words}", u8::from(lane)),
        };
        let told = trace.steps().skip(ops.start).take(ops.len());
        (C::setup_words(&trace.setup), told.map(words).collect())
    }

    fn signature(&self, wire: &[u8], failure: &Failure) -> Signature {
        let kind = match failure.step {
            Step::Construct => "construct",
            Step::Audit => lockstep::AUDIT_KIND,
            Step::Teardown => "teardown",
            Step::Op(index) => {
                Trace::<C>::from_wire(wire).ops().get(index as usize).map_or("op", |op| C::OP_KINDS[C::op_kind(op)])
            }
        };
        Signature::new(C::NAME, kind, &failure.believed(C::LAWS).cause)
    }

    fn diagnose(&self, wire: &[u8], failure: &Failure) -> Option<String> {
        let trace = Trace::<C>::from_wire(wire);
        let ops = match failure.step {
            Step::Construct => &[],
            Step::Op(index) => &trace.ops()[..(index as usize + 1).min(trace.ops().len())],
            Step::Audit | Step::Teardown => trace.ops(),
        };
        let (law, place) = match &failure.cause {
            Cause::Law { law, place, .. } => (C::LAWS.iter().find(|known| known.name == law), *place),
            Cause::Fault(_) => (None, None),
        };
        let hint = || {
            let place = place.map_or_else(|| "?".to_owned(), C::place_words);
            law?.hint.map(|hint| hint.replace("{place}", &place))
        };
        if matches!(&failure.cause, Cause::Law { .. }) && law.is_none() {
            return Some(
                "The worker reported a law that the component does not have. No model says that: the subject wrote \
                 over memory that is not its own."
                    .to_owned(),
            );
        }
        C::diagnose(&Incident { setup: &trace.setup, ops, failure, law }).or_else(hint)
    }

    fn unshown_laws(&self) -> &'static [Law] {
        C::UNSHOWN_LAWS
    }

    fn rust_test(&self, wire: &[u8], interrupted: &AtomicBool) -> Result<TestBody, NoTest> {
        let trace = Trace::<C>::from_wire(wire);
        of_one_thread(&trace)?;
        C::rust_test(&trace.setup, trace.ops(), &mut Room::new(interrupted, trace.ops().len())?)
    }

    fn c_program(&self, wire: &[u8], about: &About<'_>, interrupted: &AtomicBool) -> Result<TestBody, NoTest> {
        let trace = Trace::<C>::from_wire(wire);
        of_one_thread(&trace)?;
        C::c_program(&trace.setup, trace.ops(), about, &mut Room::new(interrupted, trace.ops().len())?)
    }

    fn has_small_world(&self) -> bool {
        !C::small().starts.is_empty()
    }
}

/// A subject beside its model, with the types erased.
pub trait Target: Sync {
    /// The component.
    fn dialect(&self) -> &'static dyn Dialect;
    /// The subject's name.
    fn subject(&self) -> &'static str;
    /// Whether the subject is expected to agree.
    fn health(&self) -> Health;
    /// The freedoms that the subject claims.
    fn claimed(&self) -> Vec<&'static str>;
    /// The freedoms that the subject claims, with their values.
    fn claims(&self) -> Vec<String>;
    /// The library that the subject is made of, if it is made of one.
    fn origin(&self) -> Option<&'static Origin>;
    /// Whether the subject can show this outcome class for this op kind at all.
    fn permits(&self, op_kind: usize, outcome_class: usize) -> bool;
    /// Whether the subject's contract serves the setup of a trace and asks for each of its ops: what engines keep to.
    fn is_within_contract(&self, wire: &[u8]) -> bool;
    /// The batch loop.
    fn runner(&'static self) -> Box<dyn Runner>;
    /// The random engine's traces for this subject's contract.
    fn traces(&self) -> Box<dyn TraceSource>;
    /// Cuts traces into ops, for mutants within this subject's contract.
    fn cutter(&self) -> Box<dyn Cutter>;
    /// All traces of at most `depth` ops over what the subject's contract leaves of its component's small world.
    fn small_traces(&self, depth: u32) -> SmallTraces;
    /// Shrinks a trace within the subject's contract, as long as `still_fails` says yes.
    fn shrink(&self, wire: &[u8], still_fails: &mut dyn FnMut(&[u8]) -> bool) -> Vec<u8>;
    /// Whether something of the subject may outlive the end of a trace, because it has no reset that takes all away.
    fn outlives_traces(&self) -> bool;
    /// Traces in a row as one trace, in each way that it can be said, the likeliest first.
    fn join(&self, wires: &[&[u8]]) -> Vec<Vec<u8>>;
    /// Measures the subject, its model, and both, in this process. `step` moves meanwhile.
    #[doc(hidden)] // for workers
    fn speed(&'static self, step: &AtomicU32) -> Vec<Round>;
    /// Runs one trace and tells its story step by step.
    fn narrate(&self, wire: &[u8], narrator: &mut Narrator<'_>) -> Ended;

    /// `component/subject`, as on the command line.
    fn name(&self) -> String {
        format!("{}/{}", self.dialect().name(), self.subject())
    }

    /// Whether the subject is expected to agree.
    fn is_sound(&self) -> bool {
        matches!(self.health(), Health::Sound)
    }
}

impl<C: Rig> Target for Row<C> {
    fn dialect(&self) -> &'static dyn Dialect {
        Spoken::<C>::NEW
    }

    fn subject(&self) -> &'static str {
        self.name
    }

    fn health(&self) -> Health {
        self.health
    }

    fn claimed(&self) -> Vec<&'static str> {
        self.contract.claimed()
    }

    fn claims(&self) -> Vec<String> {
        self.contract.claims()
    }

    fn origin(&self) -> Option<&'static Origin> {
        self.origin
    }

    fn permits(&self, op_kind: usize, outcome_class: usize) -> bool {
        C::permits(&self.contract, op_kind, outcome_class)
    }

    fn is_within_contract(&self, wire: &[u8]) -> bool {
        let trace = Trace::<C>::from_wire(wire);
        C::serves(&self.contract, &trace.setup).is_ok() && trace.ops().iter().all(|op| C::asks(&self.contract, op))
    }

    fn runner(&'static self) -> Box<dyn Runner> {
        Box::new(Lockstep::<C>::new(self))
    }

    fn traces(&self) -> Box<dyn TraceSource> {
        Box::new(Generated::<C>::new(&self.contract))
    }

    fn cutter(&self) -> Box<dyn Cutter> {
        Box::new(ComponentCutter::<C>::new(&self.contract))
    }

    fn small_traces(&self, depth: u32) -> SmallTraces {
        SmallTraces::new::<C>(&C::small(), &self.contract, depth)
    }

    fn shrink(&self, wire: &[u8], still_fails: &mut dyn FnMut(&[u8]) -> bool) -> Vec<u8> {
        let still_fails = &mut |trace: &Trace<C>| still_fails(&trace.to_wire());
        shrink::shrink::<C>(&Trace::from_wire(wire), &self.contract, still_fails).to_wire()
    }

    fn outlives_traces(&self) -> bool {
        C::outlives_traces(&self.contract)
    }

    fn join(&self, wires: &[&[u8]]) -> Vec<Vec<u8>> {
        let traces: Vec<Trace<C>> = wires.iter().map(|wire| Trace::from_wire(wire)).collect();
        Trace::join(&traces).iter().map(Trace::to_wire).collect()
    }

    fn speed(&'static self, step: &AtomicU32) -> Vec<Round> {
        lockstep::rounds(self, &mut *self.traces(), &mut *self.runner(), step)
    }

    fn narrate(&self, wire: &[u8], narrator: &mut Narrator<'_>) -> Ended {
        lockstep::narrate(self, wire, narrator)
    }
}
