//! The proptest strategy: traces shrink to their minimum as memtwin shrinks them, and the one-line test passes on a
//! right subject, and fails on a wrong one with the trace that shows it.

use memtwin::models::guest_memory::{Error, GuestMemory, GuestMemoryContract, Op, OpKind, Outcome, Seen, Setup};
use memtwin::models::temp_map::{TempMap, TempMapContract};
use memtwin::models::{Contract as _, Health, Subject, Unsupported};
use memtwin::proptest::{ProptestConfig, check, traces};
use memtwin::subjects::guest_memory::SoftMmuSubject;
use memtwin::subjects::header_free::Hardened;
use memtwin::trace::Trace;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{RngSeed, TestCaseError, TestError, TestRunner};
use std::marker::PhantomData;
use std::panic::catch_unwind;

/// Always the same traces.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(7), max_shrink_iters: 100_000, ..ProptestConfig::default() }
}

memtwin::proptest_subject!(soft_mmu_agrees, GuestMemory, SoftMmuSubject, config(64));
memtwin::proptest_subject!(hardened_agrees, memtwin::models::header_free::HeaderFree, Hardened, config(32));

/// `soft_mmu` with one mistake.
struct Wrong<M> {
    inner: SoftMmuSubject,
    mistake: PhantomData<M>,
}

trait Mistake: 'static {
    const NAME: &'static str;
    fn refuses(_setup: &Setup) -> bool {
        false
    }
    fn after(_op: &Op, _seen: &mut Outcome) {}
}

impl<M: Mistake> Subject<GuestMemory> for Wrong<M> {
    const NAME: &'static str = M::NAME;
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        if M::refuses(setup) {
            return Err(Unsupported("nothing is served"));
        }
        Ok(Wrong { inner: SoftMmuSubject::new(setup)?, mistake: PhantomData })
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        self.inner.apply(op, seen);
        M::after(op, seen);
    }
}

/// Says that fetches of instructions fail where they do not.
struct FetchFails;

impl Mistake for FetchFails {
    const NAME: &'static str = "fetch_fails";

    fn after(op: &Op, seen: &mut Outcome) {
        if op.kind() == OpKind::FetchInstruction {
            seen.result = Seen::Error(Error::InvalidAddress);
        }
    }
}

/// Panics after a bulk write that it carried out.
struct PanicsAfterBulk;

impl Mistake for PanicsAfterBulk {
    const NAME: &'static str = "panics_after_bulk";

    fn after(op: &Op, seen: &mut Outcome) {
        assert!(op.kind() != OpKind::WriteBulk || seen.result != Seen::Done, "a panic of the subject");
    }
}

/// Serves nothing.
struct Idle;

impl Mistake for Idle {
    const NAME: &'static str = "idle";

    fn refuses(_setup: &Setup) -> bool {
        true
    }
}

/// Serves less than half of what it promises.
struct Lazy;

impl Mistake for Lazy {
    const NAME: &'static str = "lazy";

    fn refuses(setup: &Setup) -> bool {
        4096 <= setup.memory_size
    }
}

/// What the one-line test says of a wrong subject.
fn complaint<M: Mistake>() -> String {
    let panic = catch_unwind(|| check::<GuestMemory, Wrong<M>>(&config(256))).expect_err("a wrong subject passed");
    panic.downcast_ref::<String>().expect("a panic has a text").clone()
}

/// The trace within a complaint.
fn trace_in(complaint: &str) -> Vec<&str> {
    complaint.lines().filter(|line| line.starts_with('{')).collect()
}

#[test]
fn a_wrong_subject_fails_with_its_smallest_trace() {
    let complaint = complaint::<FetchFails>();
    assert!(complaint.starts_with("guest_memory/fetch_fails fails: guest_memory/"), "{complaint}");
    assert!(complaint.contains("cargo run --release -- replay fetch_fails.jsonl"), "{complaint}");
    let trace = trace_in(&complaint);
    assert_eq!(trace.len(), 2, "a header and one op: {complaint}");
    assert!(trace[0].contains(r#""subject":"fetch_fails","expect":"guest_memory/"#), "{complaint}");
    assert_eq!(trace[1], r#"{"op":"fetch_instruction","owner":0,"address":"0x1000"}"#);
}

#[test]
fn a_panic_of_the_subject_is_a_failure_like_any_other() {
    let complaint = complaint::<PanicsAfterBulk>();
    assert!(
        complaint.starts_with("guest_memory/panics_after_bulk fails: guest_memory/panic/write_bulk\n"),
        "{complaint}"
    );
    assert_eq!(trace_in(&complaint).len(), 2, "{complaint}");
}

#[test]
fn a_test_that_judged_nothing_fails() {
    let complaint = complaint::<Idle>();
    assert!(complaint.contains("judged no trace"), "{complaint}");
}

#[test]
fn a_test_that_judged_little_fails() {
    let complaint = complaint::<Lazy>();
    assert!(complaint.starts_with("guest_memory/lazy agreed, and that is not enough: 0 of "), "{complaint}");
    assert!(complaint.ends_with("at most half of them may be so"), "{complaint}");
}

#[test]
fn shrinking_keeps_what_fails_and_leaves_nothing_else() {
    let dumps = |trace: &Trace<GuestMemory>| trace.ops().iter().filter(|op| op.kind() == OpKind::Dump).count();
    let result = TestRunner::new(config(256)).run(&traces::<GuestMemory>(GuestMemoryContract::STRICT), |trace| {
        if dumps(&trace) < 2 { Ok(()) } else { Err(TestCaseError::fail("two dumps")) }
    });
    let Err(TestError::Fail(_, trace)) = result else { panic!("no trace has two dumps") };
    assert_eq!((trace.ops().len(), dumps(&trace)), (2, 2), "{trace:?}");
}

/// Whatever proptest does with a tree, it ends with a value that failed.
#[test]
fn a_tree_goes_back_to_what_failed() {
    let mut runner = TestRunner::new(config(1));
    let mut tree = traces::<TempMap>(TempMapContract::STRICT).new_tree(&mut runner).unwrap();
    let drawn = tree.current();
    assert!(!tree.complicate(), "nothing was simplified yet");
    assert_eq!(tree.current(), drawn);
    // Every candidate passes: what was drawn is all there is.
    assert!(tree.simplify());
    assert_ne!(tree.current(), drawn);
    while tree.complicate() {}
    assert_eq!(tree.current(), drawn);
    assert!(!tree.simplify() && !tree.complicate());
    assert_eq!(tree.current(), drawn);
}
