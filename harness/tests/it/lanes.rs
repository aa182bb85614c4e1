//! Traces of several threads: their forms, how they are drawn, changed and shrunk, and that each op runs on its own
//! thread. Whatever happens to a worker on such a thread is tested beside isolation.

use crate::tally::{Counter, Misdeed, Op, Outcome, RIGHT, Setup, Tally, WRONG_COUNT};
use memtwin::Target;
use memtwin::engines::TraceSource as _;
use memtwin::engines::random::Generated;
use memtwin::finding::Step;
use memtwin::lockstep::{Audits, COUNTS, Ended, Journal};
use memtwin::models::{Contract as _, Health, Lane, MOST_LANES, Row};
use memtwin::mutate::{MAX_MUTANT_BYTES, Mutator};
use memtwin::random::Random;
use memtwin::rig::rust_test::NoTest;
use memtwin::rig::{Generator as _, Rig, Wire as _};
use memtwin::trace::{Header, Trace, TraceError};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32};

type TallyTrace = Trace<Tally>;

const ONE: Setup = Setup { threads: 4, start: 0 };

fn lane(number: u8) -> Lane {
    Lane::new_folded(number, MOST_LANES)
}

fn trace(setup: Setup, ops: &[(u8, Op)]) -> TallyTrace {
    Trace::of_threads(setup, ops.iter().map(|(number, op)| (lane(*number), op.clone())))
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Count),
        Just(Op::Exit),
        any::<u8>().prop_map(|number| Op::Add { number }),
        any::<u8>().prop_map(|how| Op::Misbehave { how }),
        any::<u8>().prop_map(|number| Op::Long { number }),
        any::<u8>().prop_map(|number| Op::Later { number }),
    ]
}

fn any_trace() -> impl Strategy<Value = TallyTrace> {
    let ops = proptest::collection::vec((0..4_u8, any_op()), 0..40);
    (1..=4_u8, prop_oneof![Just(0), any::<u8>()], ops, any::<bool>()).prop_map(
        |(threads, start, ops, is_sequential)| {
            let ops: Vec<_> = ops.into_iter().map(|(lane, op)| (if is_sequential { 0 } else { lane }, op)).collect();
            trace(Setup { threads, start }, &ops)
        },
    )
}

fn json(trace: &TallyTrace) -> String {
    RIGHT.dialect().print(&trace.to_wire(), &Header::plain())
}

fn from_json(text: &str) -> Result<TallyTrace, TraceError> {
    let header: Header = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    RIGHT.dialect().parse(Path::new("a.jsonl"), &header, text).map(|wire| Trace::from_wire(&wire))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn typed_to_both_forms_and_back_is_the_identity(trace in any_trace()) {
        let wire = trace.to_wire();
        prop_assert_eq!(&TallyTrace::from_wire(&wire), &trace);
        // Version 1 wherever it suffices.
        let has_later = trace.ops().iter().any(Tally::is_later);
        let needs_two = trace.has_lanes() || has_later || trace.setup.start != 0;
        prop_assert_eq!(wire[0], 1 + u8::from(needs_two));
        let text = json(&trace);
        let head = if needs_two { "{\"memtwin\":2," } else { "{\"memtwin\":1," };
        prop_assert!(text.starts_with(head));
        prop_assert_eq!(text.contains("\"lane\""), trace.has_lanes());
        prop_assert_eq!(&from_json(&text).unwrap(), &trace);
    }

    #[test]
    fn any_bytes_decode_and_their_canonical_form_stays(
        first in 0..4_u8,
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let trace = TallyTrace::from_wire(&[&[first][..], &rest].concat());
        prop_assert!(trace.ops().len() <= rest.len());
        prop_assert_eq!(Tally::check_setup(&trace.setup), Ok(()));
        let canonical = trace.to_wire();
        prop_assert_eq!(&TallyTrace::from_wire(&canonical), &trace);
        prop_assert_eq!(TallyTrace::from_wire(&canonical).to_wire(), canonical);
    }
}

/// The table of docs/wire-format.md, byte by byte.
#[test]
fn version_two_is_as_it_is_laid_down() {
    let start = Setup { threads: 4, start: 7 };
    let ops = [(0, Op::Count), (3, Op::Add { number: 5 }), (1, Op::Long { number: 0x2c })];
    let wire = trace(start.clone(), &ops).to_wire();
    assert_eq!(wire, [2, 3, 1, 0, 1, 7, 0, 0, 3, 128, 5, 1, 240, 2, 12]);
    let read = |bytes: &[u8]| TallyTrace::from_wire(bytes);
    // Unknown parts are skipped, later ones of one name count, and the number of parts is folded.
    assert_eq!(read(&[2, 3, 11, 9, 2, 1, 1, 0, 1, 8, 0, 2, 7, 9, 0, 0]), trace(start, &[(0, Op::Count)]));
    // A part that is too short reads as zero.
    assert_eq!(read(&[2, 3, 1, 0, 0, 0, 0]), trace(ONE, &[(0, Op::Count)]));
    // Bits 4 to 7 are ignored; preemptions, here two with a point of two bytes, are read and come to nothing.
    assert_eq!(read(&[2, 3, 0, 0xf1, 0]), trace(ONE, &[(1, Op::Count)]));
    assert_eq!(read(&[2, 3, 0, 0b1010, 0x81, 1, 3, 4, 2, 128, 9]), trace(ONE, &[(2, Op::Add { number: 9 })]));
    // A second tag that nobody has been given reads as its low four bits, after each tag of the row.
    for (first, second) in [(240, 2), (255, 2), (250, 0x72), (240, 0xf2)] {
        assert_eq!(
            read(&[2, 3, 0, 1, first, second, 12, 0, 0]),
            trace(ONE, &[(1, Op::Long { number: 0x2c }), (0, Op::Count)])
        );
    }
    // One that an op has been given is that op, in version 2 alone.
    let later = trace(ONE, &[(0, Op::Later { number: 0xc5 })]);
    assert_eq!(later.to_wire(), [2, 3, 0, 0, 240, 19, 5]);
    assert_eq!(read(&[2, 3, 0, 0, 244, 19, 0x45]), later);
    assert_eq!(read(&[1, 3, 240, 19, 5]), trace(ONE, &[(0, Op::Long { number: 3 }), (0, Op::Count)]));
    // What the end cuts off reads as zero; a lane without a tag is no op.
    assert_eq!(read(&[2, 3, 0, 1, 245]), trace(ONE, &[(1, Op::Long { number: 0 })]));
    assert_eq!(read(&[2, 3, 0, 1]), trace(ONE, &[]));
    assert_eq!(read(&[2, 3, 0, 0b1001, 5]), trace(ONE, &[]));
    // What fits version 1 is written as that.
    assert_eq!(read(&[2, 3, 0, 0, 250, 3, 4]).to_wire(), [1, 3, 243, 4]);
}

/// A component of one thread reads version 2 as well, and has no lane.
#[test]
fn lanes_are_folded_below_those_that_a_component_has() {
    use memtwin::models::guest_memory::GuestMemory;
    let one = [1, 0, 64, 240, 0];
    let two = [2, 0, 64, 0, 3, 240, 0, 0b0110, 1, 1, 240, 0];
    let trace = Trace::<GuestMemory>::from_wire(&two);
    assert!(!trace.has_lanes());
    assert_eq!(
        trace,
        Trace::new(
            trace.setup.clone(),
            Trace::<GuestMemory>::from_wire(&[&one[..3], &[240, 240]].concat()).ops().to_vec()
        )
    );
    assert_eq!(trace.to_wire(), [1, 0, 64, 240, 240]);
}

#[test]
fn json_lines_have_lanes_where_the_header_says_version_two() {
    let text = "{\"memtwin\":2,\"component\":\"tally\",\"setup\":{\"threads\":4}}\n{\"op\":\"count\"}\n{\"lane\":3,\"\
                op\":\"add\",\"number\":7,\"preempt\":[{\"point\":2,\"to\":1}]}\n";
    assert_eq!(from_json(text).unwrap(), trace(ONE, &[(0, Op::Count), (3, Op::Add { number: 7 })]));
    for (line, message) in [
        ("{\"op\":\"count\",\"lane\":4}", ":3: lane 4: a trace of tally has lanes below 4 only"),
        ("{\"op\":\"count\",\"lane\":-1}", ":3: invalid value: integer `-1`, expected u8 (column 23)"),
        ("{\"op\":\"count\",\"lane\":1,\"lane\":1}", ":3: duplicate field `lane`"),
        ("{\"op\":\"add\",\"lane\":1,\"numbers\":1}", ":3: unknown field `numbers`"),
        ("{\"op\":\"count\",\"preempt\":[{\"point\":2}]}", ":3: missing field `to`"),
        ("[]", ":3: invalid type: sequence, expected an op"),
    ] {
        let text = text.replace(text.lines().last().unwrap(), line);
        let error = from_json(&text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let old = text.replacen(":2,", ":1,", 1);
    assert!(from_json(&old).unwrap_err().to_string().contains("unknown field `lane`"));
}

#[test]
fn drawn_traces_have_threads_as_their_setup_says() {
    let mut source = Generated::<Tally>::new(&crate::tally::NoFreedom::STRICT);
    let (mut wire, mut runs, mut ops, mut sequential) = (Vec::new(), 0_usize, 0_usize, 0);
    for index in (0..64 * 400).step_by(16) {
        source.write(3, index, &mut wire);
        let trace = TallyTrace::from_wire(&wire);
        assert_eq!(trace.to_wire(), wire, "not the canonical form");
        let lanes: Vec<u8> = trace.steps().map(|(lane, _)| lane.into()).collect();
        assert!(lanes.iter().all(|lane| *lane < trace.setup.threads), "{lanes:?} of {:?}", trace.setup);
        sequential += u32::from(!trace.has_lanes());
        if trace.has_lanes() {
            runs += lanes.chunk_by(|one, other| one == other).count();
            ops += lanes.len();
        }
    }
    assert!((200..1200).contains(&sequential), "{sequential} of 1600 traces have one thread");
    assert!((13 * runs..19 * runs).contains(&ops), "{ops} ops in {runs} runs");
}

fn run(target: &'static dyn Target, trace: &TallyTrace) -> Ended {
    let mut runner = target.runner();
    run_on(&mut *runner, trace)
}

fn run_on(runner: &mut dyn memtwin::lockstep::Runner, trace: &TallyTrace) -> Ended {
    let step = AtomicU32::new(0);
    let mut counts = [0; COUNTS];
    runner.run(
        &trace.to_wire(),
        Audits::Full,
        &mut Journal { step: &step, counts: &mut counts, features: None, ops: 0 },
    )
}

#[test]
fn each_op_runs_on_its_own_thread() {
    let mut runner = RIGHT.runner();
    let mut source = Generated::<Tally>::new(&crate::tally::NoFreedom::STRICT);
    let mut wire = Vec::new();
    for index in 0..300 {
        source.write(4, index * 16, &mut wire);
        assert_eq!(run_on(&mut *runner, &TallyTrace::from_wire(&wire)), Ended::Agreed, "trace {index}");
    }
    // The last thread of one trace is not the first of the next.
    let counts = trace(ONE, &[(2, Op::Count), (2, Op::Count), (0, Op::Count), (2, Op::Exit), (2, Op::Count)]);
    for _ in 0..3 {
        assert_eq!(run_on(&mut *runner, &counts), Ended::Agreed);
    }
}

/// Says one too many of the second count of a thread that is not the first, or that has exited once.
struct Forgets;

thread_local! {
    static COUNTED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

impl Misdeed for Forgets {
    const NAME: &'static str = "forgets";
    const HEALTH: Health = Health::Broken { defect: None, story: "the third count of a thread is wrong" };

    fn misbehave(_how: u8) {}

    fn after(op: &Op, seen: &mut Outcome) {
        if *op == Op::Count {
            COUNTED.set(COUNTED.get() + 1);
            seen.number += u64::from(COUNTED.get() == 3 && std::thread::current().name().is_none());
        }
    }
}

const FORGETS: &dyn Target = &Row::<Tally>::of::<Counter<Forgets>>();

#[test]
fn a_finding_of_one_thread_shrinks_to_that_thread() {
    let mut ops: Vec<(u8, Op)> = Vec::new();
    for round in 0..6 {
        ops.extend([(3, Op::Add { number: round }), (1, Op::Count), (0, Op::Count), (2, Op::Long { number: round })]);
    }
    let drawn = trace(Setup { threads: 4, start: 9 }, &ops);
    let ended = run(FORGETS, &drawn);
    assert_eq!(ended, Ended::Diverged { step: Step::Op(9), divergence: WRONG_COUNT });
    let mut tried = 0;
    let small = FORGETS.shrink(&drawn.to_wire(), &mut |wire| {
        tried += 1;
        matches!(run(FORGETS, &TallyTrace::from_wire(wire)), Ended::Diverged { divergence: WRONG_COUNT, .. })
    });
    // Nothing of it happens on the first thread, so that the other one stays.
    let small = TallyTrace::from_wire(&small);
    assert_eq!(small, trace(Setup { threads: 4, start: 9 }, &[(1, Op::Count), (1, Op::Count), (1, Op::Count)]));
    assert!(tried < 60, "{tried} candidates");
}

#[test]
fn a_finding_of_no_thread_shrinks_to_the_first() {
    let ops: Vec<(u8, Op)> = (0..40).map(|index| (index % 4, Op::Add { number: index })).collect();
    let drawn = trace(ONE, &ops);
    let mut candidates = Vec::new();
    let has_seven = |wire: &[u8]| TallyTrace::from_wire(wire).ops().contains(&Op::Add { number: 7 });
    let small = RIGHT.shrink(&drawn.to_wire(), &mut |wire| {
        candidates.push(TallyTrace::from_wire(wire));
        has_seven(wire)
    });
    assert_eq!(TallyTrace::from_wire(&small), trace(ONE, &[(0, Op::Add { number: 7 })]));
    let sequential = candidates.iter().position(|candidate| !candidate.has_lanes() && 7 < candidate.ops().len());
    assert!(sequential.unwrap() < 10, "one thread is tried early");
}

#[test]
fn mutants_keep_their_threads_and_change_some() {
    let setup = |threads, start| Setup { threads, start };
    let of_one = trace(setup(4, 0), &[(0, Op::Count), (0, Op::Long { number: 200 }), (0, Op::Add { number: 4 })]);
    let of_three = trace(setup(4, 1), &[(1, Op::Count), (2, Op::Long { number: 201 }), (3, Op::Add { number: 5 })]);
    let narrow = trace(setup(2, 0), &[(1, Op::Count), (0, Op::Add { number: 6 })]);
    let mut random = Random::new(5);
    let mut wire = Vec::new();
    for (parent, donor, most) in [(&of_one, &of_three, 4), (&of_three, &of_one, 4), (&narrow, &of_three, 2)] {
        let mut mutator = Mutator::new(RIGHT.cutter());
        assert!(mutator.set_parent(&parent.to_wire()));
        mutator.set_donor(&donor.to_wire());
        let mut lanes = BTreeSet::new();
        let mut lent = 0;
        for number in 0..2000 {
            if number % 4 == 0 {
                mutator.cross(&mut random, MAX_MUTANT_BYTES, &mut wire);
            } else {
                mutator.mutate(&mut random, MAX_MUTANT_BYTES, &mut wire);
            }
            let mutant = TallyTrace::from_wire(&wire);
            assert_eq!(mutant.to_wire(), wire, "not the canonical form");
            assert_eq!(mutant.setup, parent.setup);
            lanes.extend(mutant.steps().map(|(lane, _)| u8::from(lane)));
            lent += usize::from(mutant.ops().contains(&donor.ops()[1]));
        }
        assert_eq!(lanes, (0..most).collect());
        assert!(100 < lent, "{lent} mutants have an op of the donor");
    }
    // No room for the ops that have lanes: then version 1 is enough.
    let mut mutator = Mutator::new(RIGHT.cutter());
    assert!(mutator.set_parent(&trace(ONE, &[(0, Op::Count), (0, Op::Count), (3, Op::Count)]).to_wire()));
    for _ in 0..200 {
        mutator.mutate(&mut random, 4, &mut wire);
        assert!(wire.len() <= 4);
        assert_eq!(TallyTrace::from_wire(&wire).to_wire(), wire);
    }
}

#[test]
fn small_traces_are_written_as_their_start_needs() {
    let mut traces = RIGHT.small_traces(2);
    let mut wire = Vec::new();
    for index in 0..traces.count().unwrap() {
        traces.write(0, index, &mut wire);
        assert_eq!(TallyTrace::from_wire(&wire).to_wire(), wire);
        assert_eq!(run(RIGHT, &TallyTrace::from_wire(&wire)), Ended::Agreed);
    }
}

#[test]
fn words_name_the_threads_besides_the_first_and_no_test_is_made_of_them() {
    let trace = trace(ONE, &[(0, Op::Count), (3, Op::Count)]);
    let dialect = RIGHT.dialect();
    assert_eq!(dialect.words(&trace.to_wire(), 0..9).1, ["Count", "thread 3: Count"]);
    let refused = dialect.rust_test(&trace.to_wire(), &AtomicBool::new(false));
    let Err(NoTest::Refused(why)) = refused else { panic!("{refused:?}") };
    assert!(why.starts_with("its ops lie on several threads"), "{why}");
}

/// Is built as often as it says.
struct Built;

thread_local! {
    static BUILT: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

impl Misdeed for Built {
    const NAME: &'static str = "built";

    fn at_build() {
        BUILT.set(BUILT.get() + 1);
    }

    fn misbehave(_how: u8) {}
}

/// Building a subject costs as much as many ops, and a setup is the same one in both versions.
#[test]
fn a_subject_is_built_for_a_setup_and_not_for_a_version() {
    const TARGET: &dyn Target = &Row::<Tally>::of::<Counter<Built>>();
    let mut runner = TARGET.runner();
    let ops = |start, lane| trace(Setup { start, ..ONE }, &[(lane, Op::Count), (0, Op::Count)]);
    let mut built = Vec::new();
    for (start, lane) in [(0, 0), (0, 2), (0, 0), (0, 3), (5, 0), (5, 1), (5, 0), (0, 1), (0, 0), (6, 0)] {
        assert_eq!(run_on(&mut *runner, &ops(start, lane)), Ended::Agreed);
        built.push(BUILT.get());
    }
    assert_eq!(built, [1, 1, 1, 1, 2, 2, 2, 3, 3, 4]);
}

/// The generator of a component of one thread draws nothing for lanes.
#[test]
fn a_component_of_one_thread_has_no_lanes() {
    fn has_one<C: Rig>() {
        assert_eq!(C::LANES, 1, "{}", C::NAME);
        let setup = C::Generator::new(&C::Contract::STRICT).setup(&mut Random::new(1));
        assert_eq!(C::Generator::lanes(&setup), 1);
    }
    has_one::<memtwin::models::guest_memory::GuestMemory>();
    has_one::<memtwin::models::brk_heap::BrkHeap>();
    has_one::<memtwin::models::header_free::HeaderFree>();
    has_one::<memtwin::models::page_walk::PageWalk>();
    has_one::<memtwin::models::temp_map::TempMap>();
}
