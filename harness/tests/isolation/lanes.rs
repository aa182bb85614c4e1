//! Threads of a trace under isolation: whatever happens on the fourth is the same finding as on the first.

use crate::files_below;
use crate::supervisor;
use crate::tally::{Counter, Misdeed, NoFreedom, Op, RIGHT, Setup, Tally, WRONG_COUNT};
use libtest_mimic::{Failed, Trial};
use memtwin::Target;
use memtwin::campaign::{self, Budget, Plan};
use memtwin::engines::TraceSource as _;
use memtwin::engines::random::Generated;
use memtwin::finding::{Cause, Ending, Failure, Step};
use memtwin::isolate::{Isolation, IsolationError, Surveyed, TraceSurvey};
use memtwin::lockstep::Audits;
use memtwin::models::{Contract as _, Health, Lane, MOST_LANES, Row};
use memtwin::run_file::Verdict;
use memtwin::trace::Trace;
use memtwin::trace_files::load;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::signal::{Signal, raise};
use std::cell::Cell;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub(crate) const SUBJECTS: [&dyn Target; 3] =
    [&Row::<Tally>::of::<Counter<Wicked>>(), &Row::<Tally>::of::<Counter<Forgetful>>(), RIGHT];

/// The fourth thread.
const LAST: u8 = MOST_LANES - 1;
const SETUP: Setup = Setup { threads: MOST_LANES, start: 0 };

/// What a misdeed does, and the class of what it is.
const MISDEEDS: [(u8, &str); 12] = [
    (SEGFAULT, "segfault"),
    (1, "stack_overflow"),
    (2, "panic"),
    (3, "abort"),
    (HANG, "hang"),
    (5, "memory_limit"),
    (RUNAWAY, "memory_limit"),
    (7, "exit"),
    (8, "forbidden_call"),
    (9, "illegal_instruction"),
    (10, "segfault"),
    (DEADLOCK, "hang"),
];
const SEGFAULT: u8 = 0;
const HANG: u8 = 4;
const RUNAWAY: u8 = 6;
const DEADLOCK: u8 = 11;
const LATE: u8 = 12;
pub(crate) const SLEEP: u8 = 13;

/// Does what it is asked to.
pub(crate) struct Wicked;

impl Misdeed for Wicked {
    const NAME: &'static str = "wicked";

    // Its frame must be there, however the program is divided into units.
    #[inline(never)]
    fn misbehave(how: u8) {
        misbehave(how);
        // What was called last keeps its caller's frame.
        black_box(how);
    }
}

#[inline(always)]
fn misbehave(how: u8) {
    match how {
        SEGFAULT => drop(black_box(memtwin::wild::read_byte(black_box(0x1000)))),
        1 => drop(black_box(recurse(0))),
        2 => panic!("the text of a panic is in no signature"),
        3 => std::process::abort(),
        HANG => spin_for_ever(),
        5 => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(black_box(Vec::with_capacity(64 << 20)));
            }
        }
        RUNAWAY => loop {
            let length = NonZeroUsize::new(64 << 20).unwrap_or(NonZeroUsize::MIN);
            let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_POPULATE;
            // SAFETY: a new mapping wherever the kernel likes; nothing else refers to it.
            let _ = black_box(unsafe { mmap_anonymous(None, length, ProtFlags::PROT_WRITE, flags) });
        },
        7 => std::process::exit(3),
        8 => drop(black_box(std::net::UdpSocket::bind("127.0.0.1:0"))),
        // SAFETY: the instruction does nothing but fault, which is its purpose here.
        9 => unsafe { std::arch::asm!("ud2") },
        10 => drop(raise(Signal::SIGSEGV)),
        DEADLOCK => std::thread::park(),
        LATE => BOMB.set(Some(Bomb)),
        SLEEP => std::thread::sleep(Duration::from_secs(5)),
        _ => {}
    }
}

/// Goes off when its thread ends.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        Wicked::misbehave(SEGFAULT);
    }
}

thread_local! {
    static BOMB: Cell<Option<Bomb>> = const { Cell::new(None) };
}

#[inline(never)]
fn spin_for_ever() {
    loop {
        std::hint::spin_loop();
    }
}

#[allow(unconditional_recursion)] // until the stack ends
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 512]);
    recurse(depth + 1) + frame[(depth % 512) as usize]
}

/// Loses a count on the fourth thread.
pub(crate) struct Forgetful;

impl Misdeed for Forgetful {
    const NAME: &'static str = "forgetful";
    const HEALTH: Health = Health::Broken { defect: None, story: "the fifth count of a thread is wrong" };

    fn misbehave(_how: u8) {}

    fn after(op: &Op, seen: &mut crate::tally::Outcome) {
        thread_local! {
            static COUNTS: Cell<u32> = const { Cell::new(0) };
        }
        if *op == Op::Count {
            COUNTS.set(COUNTS.get() + 1);
            // The first thread of a process goes on from trace to trace, and has no part in this.
            let is_first = std::process::id().cast_signed() == nix::unistd::gettid().as_raw();
            seen.number += u64::from(!is_first && COUNTS.get() == 5);
        }
    }
}

fn wire(ops: &[(u8, Op)]) -> Vec<u8> {
    let ops = ops.iter().map(|(lane, op)| (Lane::new_folded(*lane, MOST_LANES), op.clone()));
    Trace::<Tally>::of_threads(SETUP, ops).to_wire()
}

fn index(target: &str) -> Result<usize, Failed> {
    crate::registry().index_of("tally", target).ok_or_else(|| "not in the registry".into())
}

fn isolation() -> Result<Isolation, Failed> {
    Ok(Isolation::start(Arc::new(AtomicBool::new(false)))?)
}

/// Runs a misdeed after some ops of every thread; returns its signature, how it failed, and the functions of its
/// frames.
fn misdeed(how: u8, lane: u8) -> Result<(String, Failure, Vec<String>), Failed> {
    let mut ops: Vec<(u8, Op)> = (0..MOST_LANES).map(|lane| (lane, Op::Count)).collect();
    ops.push((lane, Op::Misbehave { how }));
    let wire = wire(&ops);
    let mut isolation = isolation()?;
    match isolation.replay(index("wicked")?, &wire, Audits::Full)? {
        Some(Ending::Failed(failure)) => {
            let signature = SUBJECTS[0].dialect().signature(&wire, &failure).to_string();
            let Cause::Fault(fault) = &failure.cause else { return Err("not a fault".into()) };
            let frames = isolation.symbolise(&fault.frames)?;
            Ok((signature, failure, frames))
        }
        ending => Err(format!("misdeed {how} on thread {lane} ended with {ending:?}").into()),
    }
}

/// A trial for each misdeed.
pub(crate) fn misdeeds() -> impl Iterator<Item = Trial> {
    MISDEEDS.into_iter().map(|(how, class)| {
        Trial::test(format!("a_{class}_on_the_fourth_thread_{how}"), move || {
            is_the_same_on_the_fourth_thread(how, class)
        })
    })
}

fn is_the_same_on_the_fourth_thread(how: u8, class: &str) -> Result<(), Failed> {
    let (signature, failure, frames) = misdeed(how, LAST)?;
    assert_eq!((signature.as_str(), failure.step), (format!("tally/{class}/misbehave").as_str(), Step::Op(4)));
    let Cause::Fault(last) = failure.cause else { return Err("not a fault".into()) };
    // The frames are those of the thread that ran, and not of the one that waited for it.
    let has_frames = class != "exit";
    assert_eq!(
        frames.iter().any(|frame| frame.contains("misbehave")),
        has_frames && class != "stack_overflow",
        "{frames:#?}"
    );
    if matches!(how, DEADLOCK | RUNAWAY) {
        // Ten seconds, or three gigabytes, are enough.
        return Ok(());
    }
    let (of_first, failure, _) = misdeed(how, 0)?;
    let Cause::Fault(first) = failure.cause else { return Err("not a fault".into()) };
    assert_eq!((&of_first, first.class, &first.message), (&signature, last.class, &last.message));
    assert_eq!((first.frames.is_empty(), last.frames.is_empty()), (!has_frames, !has_frames));
    if how == SEGFAULT {
        assert_eq!((first.address, last.address), (Some(0x1000), Some(0x1000)));
    }
    Ok(())
}

/// What a thread leaves to its end happens there: at the op that ends it, or after the trace.
pub(crate) fn the_end_of_a_thread_is_part_of_its_trace() -> Result<(), Failed> {
    let late = (LAST, Op::Misbehave { how: LATE });
    let mut isolation = isolation()?;
    for (ops, step) in [
        (&[late.clone(), (0, Op::Count), (LAST, Op::Exit), (0, Op::Count)][..], Step::Op(2)),
        (&[late.clone(), (0, Op::Count), (1, Op::Exit)], Step::Teardown),
    ] {
        let ending = isolation.replay(index("wicked")?, &wire(ops), Audits::Full)?;
        let Some(Ending::Failed(failure)) = ending else { return Err(format!("{ending:?}").into()) };
        assert_eq!((failure.step, failure.cause.name()), (step, "segfault"));
        let told = isolation.narrate(index("wicked")?, &wire(ops), 0)?;
        let Some((_, Ending::Failed(told))) = told else { return Err(format!("{told:?}").into()) };
        assert_eq!((told.step, told.cause.name()), (step, "segfault"));
    }
    Ok(())
}

/// A campaign draws, keeps, mutates and shrinks traces with threads, and what it files replays.
pub(crate) fn campaigns_find_what_needs_a_thread() -> Result<(), Failed> {
    let registry = crate::registry();
    for engine in [memtwin::engines::Engine::Random, memtwin::engines::Engine::Guided] {
        let folder = tempfile::tempdir()?;
        let targets = vec![index("forgetful")?, index("right")?];
        let plan = Plan { engine, ..Plan::new(targets, 1, Budget::Ops(100_000), folder.path()) };
        let run = campaign::run(&registry, &plan, &Arc::new(AtomicBool::new(false)), &|_| {})?;
        let [forgetful, right] = &run.subjects[..] else { return Err("two subjects ran".into()) };
        assert_eq!((right.verdict, right.unconfirmed, right.shortfalls.len()), (Verdict::Agreed, 0, 0), "{right:?}");
        assert!(100_000 <= right.ops && forgetful.verdict == Verdict::Caught);
        let [finding] = &forgetful.findings[..] else { return Err(format!("{forgetful:?}").into()) };
        assert_eq!(finding.signature, "tally/count/count/number");
        let file =
            files_below(folder.path()).into_iter().find(|file| file.ends_with("forgetful-count-count-number.jsonl"));
        let loaded = load(&registry, &file.ok_or("nothing is filed")?)?;
        let trace = Trace::<Tally>::from_wire(&loaded.wire);
        assert_eq!(trace.ops(), [Op::Count, Op::Count, Op::Count, Op::Count, Op::Count]);
        let lanes: std::collections::BTreeSet<Lane> = trace.steps().map(|(lane, _)| lane).collect();
        assert!(lanes.len() == 1 && !lanes.contains(&Lane::FIRST), "{lanes:?}");
        let ending = isolation()?.replay(index("forgetful")?, &loaded.wire, Audits::EveryStep)?;
        let Some(Ending::Failed(Failure { step: Step::Op(4), cause })) = ending else {
            return Err("no finding".into());
        };
        assert_eq!(cause, Cause::from(&WRONG_COUNT));
    }
    Ok(())
}

/// Thousands of threads begin and end in one worker, and none of them is left.
pub(crate) fn threads_do_not_pile_up() -> Result<(), Failed> {
    let ops: Vec<(u8, Op)> = (0..40_000_u32)
        .map(|index| (1 + (index % 3).to_le_bytes()[0], if index % 6 < 3 { Op::Count } else { Op::Exit }))
        .collect();
    let wire = wire(&ops);
    let Surveyed::All(seen) = isolation()?.survey(index("right")?, &[&wire, &wire])? else {
        return Err("interrupted".into());
    };
    assert!(seen.iter().all(|seen| matches!(seen, TraceSurvey::Reached(_))), "{seen:?}");
    Ok(())
}

/// A signal from elsewhere that meets the waiting thread is no finding of the one that runs.
pub(crate) fn killed_while_another_thread_runs() -> Result<(), Failed> {
    let (said, killed) = supervisor::kill_each_time("lane", Signal::SIGSEGV)?;
    let expected = "not judged: something outside of memtwin killed its worker 3 times (signal 11); is memory short?\n";
    assert_eq!((said.as_str(), killed), (expected, 3));
    Ok(())
}

/// Runs the op that sleeps on the fourth thread.
pub(crate) fn sleep() -> Result<Option<Ending>, IsolationError> {
    let index = crate::registry().index_of("tally", "wicked").unwrap_or(0);
    let wire = wire(&[(0, Op::Count), (LAST, Op::Misbehave { how: SLEEP })]);
    Isolation::start(Arc::new(AtomicBool::new(false)))?.replay(index, &wire, Audits::Full)
}

/// What a generator draws is the same here and in a worker; said so that the two are not taken for different programs.
pub(crate) fn drawn_traces_agree() -> Result<(), Failed> {
    let mut source = Generated::<Tally>::new(&NoFreedom::STRICT);
    let mut wires = Vec::new();
    for number in 0..200 {
        let mut wire = Vec::new();
        source.write(8, number * 64, &mut wire);
        wires.push(wire);
    }
    let slices: Vec<&[u8]> = wires.iter().map(Vec::as_slice).collect();
    let Surveyed::All(seen) = isolation()?.survey(index("right")?, &slices)? else { return Err("interrupted".into()) };
    assert!(seen.iter().all(|seen| matches!(seen, TraceSurvey::Reached(_))), "{seen:?}");
    Ok(())
}
