//! Traces as a proptest strategy, and a test in one line. proptest draws the seed, and asks for a smaller trace as long
//! as there is one: which, is for memtwin's own shrinker to say. There is no isolation here: the subject runs in the
//! process of the test, and a crash takes the test with it.

use crate::finding::{Cause, Failure, Fault, FaultClass, Signature};
use crate::lockstep::{Audits, COUNTS, Ended, Journal, Lockstep, Runner as _, step_of};
use crate::rig::Rig;
use crate::shrink::Shrinker;
use crate::target::Target as _;
use crate::trace::{Header, Trace};
use crate::vacuity::{self, Allowed, Ran};
use ::proptest::arbitrary::any;
use ::proptest::strategy::{NewTree, Strategy, ValueTree};
use ::proptest::test_runner::{TestCaseError, TestError, TestRunner};
use memtwin_models::{Row, Subject};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

/// proptest's configuration, so that a crate which uses the macro need not depend on proptest itself.
pub use ::proptest::test_runner::Config as ProptestConfig;

/// The most candidates that [`check`] tries while it shrinks. proptest's own limit, four times the number of cases,
/// would end in the middle.
const MOST_CANDIDATES: u32 = 100_000;

/// Traces as the random engine draws them under a contract. Their shrinking takes many small steps: give
/// `max_shrink_iters` of the configuration some ten thousand.
pub fn traces<C: Rig>(contract: C::Contract) -> Traces<C> {
    Traces { contract }
}

/// A strategy for traces. Made by [`traces`].
pub struct Traces<C: Rig> {
    contract: C::Contract,
}

impl<C: Rig> Clone for Traces<C> {
    fn clone(&self) -> Self {
        Traces { contract: self.contract }
    }
}

impl<C: Rig> std::fmt::Debug for Traces<C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Traces").field("component", &C::NAME).field("contract", &self.contract).finish()
    }
}

impl<C: Rig> Strategy for Traces<C> {
    type Tree = TraceTree<C>;
    type Value = Trace<C>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        use crate::engines::TraceSource as _;
        let stream = any::<u64>().new_tree(runner)?.current();
        let mut wire = Vec::new();
        crate::engines::random::Generated::<C>::new(&self.contract).write(stream, 0, &mut wire);
        Ok(TraceTree::new(Trace::from_wire(&wire), &self.contract))
    }
}

/// A drawn trace, and what it shrinks to.
pub struct TraceTree<C: Rig> {
    shrinker: Shrinker<C>,
    /// What is to be tried next; `None` stands for the smallest trace that failed.
    candidate: Option<Trace<C>>,
}

impl<C: Rig> TraceTree<C> {
    fn new(trace: Trace<C>, contract: &C::Contract) -> Self {
        TraceTree { shrinker: Shrinker::new(trace, contract), candidate: None }
    }

    /// Takes the answer for the candidate, and makes the next; says whether there is one.
    fn advance(&mut self, fails: bool) -> bool {
        if let Some(candidate) = self.candidate.take() {
            self.shrinker.answer(candidate, fails);
        }
        self.candidate = self.shrinker.next_candidate();
        self.candidate.is_some()
    }
}

impl<C: Rig> std::fmt::Debug for TraceTree<C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TraceTree").field("best", self.shrinker.best()).finish_non_exhaustive()
    }
}

impl<C: Rig> ValueTree for TraceTree<C> {
    type Value = Trace<C>;

    fn current(&self) -> Trace<C> {
        self.candidate.as_ref().unwrap_or(self.shrinker.best()).clone()
    }

    /// What is current fails: the next candidate is smaller.
    fn simplify(&mut self) -> bool {
        self.advance(true)
    }

    /// What is current does not fail: the next candidate is another part of what did. At the end that itself is
    /// current.
    fn complicate(&mut self) -> bool {
        // Before the first candidate there is nothing to go back to.
        self.candidate.is_some() && self.advance(false)
    }
}

/// Runs a subject beside its model on traces that proptest draws; the whole of a `proptest_subject!` test.
///
/// # Panics
///
/// With the shrunk trace where the subject diverges or panics, and where no trace was judged to its end.
pub fn check<C: Rig, S: Subject<C> + 'static>(config: &ProptestConfig) {
    let config = ProptestConfig { max_shrink_iters: MOST_CANDIDATES, failure_persistence: None, ..config.clone() };
    // Rows live as long as the process; a test makes one.
    let target: &'static Row<C> = Box::leak(Box::new(Row::of::<S>()));
    let ran = Cell::new(Ran::default());
    let agreed = Cell::new(0_u32);
    let wanted: RefCell<Option<Signature>> = RefCell::new(None);
    let drawn_ops = Cell::new(0);
    let result = TestRunner::new(config).run(&traces::<C>(S::CONTRACT), |trace| {
        let wire = trace.to_wire();
        let failure = match run(target, &wire, &ran) {
            Err(failure) => failure,
            Ok(Ended::Agreed) => {
                agreed.set(agreed.get() + 1);
                return Ok(());
            }
            Ok(Ended::Moot { .. } | Ended::Known { .. } | Ended::Unsupported(_) | Ended::Diverged { .. }) => {
                return Ok(());
            }
        };
        let signature = target.dialect().signature(&wire, &failure);
        // Shrinking keeps the signature: another failure on the way is another bug.
        let mut wanted = wanted.borrow_mut();
        if wanted.is_none() {
            drawn_ops.set(trace.ops().len());
        }
        if *wanted.get_or_insert_with(|| signature.clone()) == signature {
            Err(TestCaseError::fail(signature.to_string()))
        } else {
            Ok(())
        }
    });
    match result {
        Ok(()) => {
            let name = target.name();
            assert!(
                0 < agreed.get(),
                "{name} judged no trace of {} to its end: its contract promises setups that it does not serve",
                C::NAME
            );
            let shortfalls = vacuity::shortfalls(&ran.get(), Allowed::Half);
            assert!(shortfalls.is_empty(), "{name} agreed, and that is not enough: {}", shortfalls.join("; "));
        }
        Err(TestError::Fail(signature, trace)) => {
            let header = Header {
                subject: Some(S::NAME.to_owned()),
                expect: Some(signature.message().to_owned()),
                ..Header::plain()
            };
            panic!(
                "{name} fails: {signature}\nThe smallest trace that shows it, {ops} of {drawn} ops:\n\n{text}\nPut \
                 these lines into {subject}.jsonl, and give {name} to `memtwin::main!`; then\n    cargo run --release \
                 -- replay {subject}.jsonl\nshows it again, in a process of its own.",
                name = target.name(),
                ops = trace.ops().len(),
                drawn = drawn_ops.get(),
                text = target.dialect().print(&trace.to_wire(), &header),
                subject = S::NAME,
            );
        }
        Err(TestError::Abort(reason)) => panic!("{}: proptest gave up: {reason}", target.name()),
    }
}

/// Runs one trace on a fresh subject; a divergence and a panic are failures alike.
fn run<C: Rig>(row: &'static Row<C>, wire: &[u8], ran: &Cell<Ran>) -> Result<Ended, Failure> {
    let step = AtomicU32::new(0);
    let mut counts = Box::new([0; COUNTS]);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut journal = Journal { step: &step, counts: &mut counts, features: None, ops: 0 };
        let mut runner = Lockstep::new(row);
        let ended = runner.run(wire, Audits::Full, &mut journal);
        runner.finish(&mut journal);
        (ended, journal.ops)
    }));
    if let Ok((ended, ops)) = ended {
        let Ran { traces, moot, unsupported, ops: before, skipped } = ran.get();
        ran.set(Ran {
            traces: traces + 1,
            moot: moot + u64::from(matches!(ended, Ended::Moot { .. })),
            unsupported: unsupported + u64::from(matches!(ended, Ended::Unsupported(_))),
            ops: before + ops,
            skipped: skipped + vacuity::skipped(C::OUTCOME_CLASSES, &counts),
        });
    }
    match ended.map(|(ended, _)| ended) {
        Ok(Ended::Diverged { step, divergence }) => Err(Failure { step, cause: Cause::from(&divergence) }),
        Ok(ended) => Ok(ended),
        Err(payload) => {
            let message = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = message.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
            let fault = Fault { class: FaultClass::Panic, address: None, message, frames: Vec::new() };
            Err(Failure { step: step_of(step.load(Ordering::Relaxed)), cause: Cause::Fault(fault) })
        }
    }
}
