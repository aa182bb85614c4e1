//! Isolation: whatever a subject does to its process is one finding that says just that, and nothing of it reaches the
//! campaign, the other subjects or the files.
//!
//! The subjects here are rogues: the sound `soft_mmu` with one misdeed. The program is its own zygote, so it has a
//! `main` of its own and the counting allocator.

mod earlier;
mod hostile;
mod known;
mod lanes;
mod rogues;
mod supervisor;
#[path = "../it/tally/mod.rs"]
mod tally;

use libtest_mimic::{Arguments, Failed, Trial};
use memtwin::campaign::{self, Budget, Event, Plan};
use memtwin::corpus::{self, Change, Trouble};
use memtwin::engines::Engine;
use memtwin::finding::{Cause, Ending, Failure, FaultClass, Step};
use memtwin::isolate::heap::CountingAllocator;
use memtwin::isolate::{Isolation, IsolationError, Surveyed, TraceSurvey, serve_if_asked};
use memtwin::lockstep::Audits;
use memtwin::models::Row;
use memtwin::models::guest_memory::{GuestAddress, GuestMemory, Op, Owner, Setup};
use memtwin::run_file::{RunFile, SubjectRun, Verdict};
use memtwin::subjects::guest_memory::PhysicalMemorySubject;
use memtwin::trace::Trace;
use memtwin::trace_files::load;
use memtwin::{Registry, Target};
use rogues::{
    Abort, Breakpoint, BusError, CaughtPanic, Chatter, DivideByZero, Exit0, Exit3, FORBIDDEN_FILE, Hang,
    IllegalInstruction, KilledBySelf, Lingering, Narrow, OwnThread, Panic, RaisedSegfault, ReadFile, Rogue,
    RunawayAllocation, RunawayMmap, Segfault, SegfaultAtBuild, SegfaultAtDrop, Sleeper, Sluggish, Socket,
    StackOverflow, WriteFile, WrongAnswer,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    hostile::note_victim();
    let registry = registry();
    serve_if_asked(&registry);
    if std::env::var_os(supervisor::SLEEP).is_some() {
        return supervisor::sleep();
    }
    let mut trials: Vec<Trial> = ROGUES
        .iter()
        .map(|&(target, signature)| Trial::test(target.subject(), move || rogue_is_one_finding(target, signature)))
        .collect();
    for &target in PEACEFUL {
        trials.push(Trial::test(target.subject(), move || no_finding(target)));
    }
    trials.push(Trial::test("lingering", what_does_not_repeat_is_kept));
    trials.push(Trial::test("what_a_worker_ran_is_made_again", earlier::what_a_worker_ran_is_made_again));
    trials.push(Trial::test("campaigns_go_on_behind_known_findings", known::campaigns_go_on));
    trials.push(Trial::test("nothing_follows_from_what_is_accepted", known::nothing_follows));
    trials.push(Trial::test("runaway_mmap", runaway_mmap));
    trials.push(Trial::test("hang_where_it_hangs", hang_where_it_hangs));
    trials.push(Trial::test("a_survey_goes_on_after_a_death", a_survey_goes_on_after_a_death));
    trials.push(Trial::test("a_corpus_keeps_and_names_what_kills", a_corpus_keeps_and_names_what_kills));
    trials.push(Trial::test("small_traces_find_a_rogue_once", small_traces_find_a_rogue_once));
    trials.push(Trial::test("nothing_is_judged_outside_of_a_contract", nothing_is_judged_outside_of_a_contract));
    trials.push(Trial::test("a_killed_supervisor_leaves_whole_files_and_no_process", supervisor::killed));
    trials.push(Trial::test("an_interrupt_keeps_what_was_found", supervisor::interrupted));
    trials.push(Trial::test("a_signal_to_the_group_ends_in_order", supervisor::group_is_signalled));
    trials.push(Trial::test("what_is_killed_by_something_else_runs_again", supervisor::killed_worker_and_zygote));
    trials.push(Trial::test("a_trace_that_is_killed_each_time_is_not_judged", supervisor::killed_each_time));
    trials.push(Trial::test("a_trace_that_takes_too_long_is_not_judged", takes_too_long));
    trials.extend(lanes::misdeeds());
    trials
        .push(Trial::test("the_end_of_a_thread_is_part_of_its_trace", lanes::the_end_of_a_thread_is_part_of_its_trace));
    trials.push(Trial::test("campaigns_find_what_needs_a_thread", lanes::campaigns_find_what_needs_a_thread));
    trials.push(Trial::test("threads_do_not_pile_up", lanes::threads_do_not_pile_up));
    trials.push(Trial::test("killed_while_another_thread_runs", lanes::killed_while_another_thread_runs));
    trials.push(Trial::test("drawn_traces_of_threads_agree", lanes::drawn_traces_agree));
    trials.push(Trial::test("hostile_calls_are_refused", hostile::every_call_is_refused));
    trials.push(Trial::test("scribbles_are_borne", hostile::scribbles_are_borne));
    let has_landlock = memtwin::isolate::landlock_version().is_some();
    let reads = Trial::test("files_of_the_user_are_not_read", hostile::files_of_the_user_are_not_read);
    trials.push(reads.with_ignored_flag(!has_landlock));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Each rogue, and the one signature of what it does.
const ROGUES: &[(&dyn Target, &str)] = &[
    (&Row::<GuestMemory>::of::<Rogue<Segfault>>(), "guest_memory/segfault/read"),
    (&Row::<GuestMemory>::of::<Rogue<SegfaultAtBuild>>(), "guest_memory/segfault/construct"),
    (&Row::<GuestMemory>::of::<Rogue<SegfaultAtDrop>>(), "guest_memory/segfault/teardown"),
    (&Row::<GuestMemory>::of::<Rogue<RaisedSegfault>>(), "guest_memory/segfault/read"),
    (&Row::<GuestMemory>::of::<Rogue<BusError>>(), "guest_memory/bus_error/read"),
    (&Row::<GuestMemory>::of::<Rogue<IllegalInstruction>>(), "guest_memory/illegal_instruction/read"),
    (&Row::<GuestMemory>::of::<Rogue<DivideByZero>>(), "guest_memory/arithmetic_fault/read"),
    (&Row::<GuestMemory>::of::<Rogue<Breakpoint>>(), "guest_memory/trap/read"),
    (&Row::<GuestMemory>::of::<Rogue<Abort>>(), "guest_memory/abort/read"),
    (&Row::<GuestMemory>::of::<Rogue<StackOverflow>>(), "guest_memory/stack_overflow/read"),
    (&Row::<GuestMemory>::of::<Rogue<Exit0>>(), "guest_memory/exit/read"),
    (&Row::<GuestMemory>::of::<Rogue<Exit3>>(), "guest_memory/exit/read"),
    (&Row::<GuestMemory>::of::<Rogue<Hang>>(), "guest_memory/hang/memory_size"),
    (&Row::<GuestMemory>::of::<Rogue<RunawayAllocation>>(), "guest_memory/memory_limit/read"),
    (&Row::<GuestMemory>::of::<Rogue<Panic>>(), "guest_memory/panic/read"),
    (&Row::<GuestMemory>::of::<Rogue<Socket>>(), "guest_memory/forbidden_call/read"),
    (&Row::<GuestMemory>::of::<Rogue<WriteFile>>(), "guest_memory/forbidden_call/read"),
    (&Row::<GuestMemory>::of::<Rogue<KilledBySelf>>(), "guest_memory/forbidden_call/read"),
    (&Row::<GuestMemory>::of::<Rogue<WrongAnswer>>(), "guest_memory/memory_size/memory_size/value"),
    (NARROW, "guest_memory/memory_size/memory_size/value"),
];

/// The rogue whose contract excludes where it is worst.
const NARROW: &dyn Target = &Row::<GuestMemory>::of::<Rogue<Narrow>>();

/// The rogue whose failure does not repeat.
const LINGERING: &dyn Target = &Row::<GuestMemory>::of::<Rogue<Lingering>>();

/// What a subject may do without being found.
const PEACEFUL: &[&dyn Target] = &[
    &Row::<GuestMemory>::of::<Rogue<CaughtPanic>>(),
    &Row::<GuestMemory>::of::<Rogue<Chatter>>(),
    &Row::<GuestMemory>::of::<Rogue<ReadFile>>(),
    &Row::<GuestMemory>::of::<Rogue<OwnThread>>(),
];

/// Rogues that only single traces are run on: in a campaign each run would cost seconds.
const COSTLY: &[&dyn Target] = &[
    &Row::<GuestMemory>::of::<Rogue<RunawayMmap>>(),
    &Row::<GuestMemory>::of::<Rogue<Sleeper>>(),
    &Row::<GuestMemory>::of::<Rogue<Sluggish>>(),
    hostile::HOSTILE,
    hostile::SCRIBBLER,
    hostile::CURIOUS,
    known::HABIT,
];

const COMPANION: &dyn Target = &Row::<GuestMemory>::of::<PhysicalMemorySubject>();

fn registry() -> Registry {
    let rogues = ROGUES.iter().map(|(target, _)| *target);
    let targets: Vec<_> =
        rogues.chain(PEACEFUL.iter().copied()).chain(COSTLY.iter().copied()).chain([COMPANION, LINGERING]).collect();
    Registry::of(&[&targets[..], &lanes::SUBJECTS].concat()).with(memtwin::heap::arena::<known::Crooked>())
}

/// Runs a small campaign on a rogue and on a sound subject beside it.
fn campaign_on(target: &'static dyn Target, out: &Path) -> Result<(RunFile, usize), Failed> {
    let registry = registry();
    let index = |target: &dyn Target| registry.index_of("guest_memory", target.subject()).ok_or("not in the registry");
    let rogue = index(target)?;
    let plan =
        Plan { engine: Engine::Random, ..Plan::new(vec![rogue, index(COMPANION)?], 7, Budget::Ops(100_000), out) };
    let announced = AtomicUsize::new(0);
    let listener = |event: Event<'_>| match event {
        Event::Found { target, .. } => {
            assert_eq!(target, rogue, "something was found of the wrong subject");
            announced.fetch_add(1, Ordering::Relaxed);
        }
        Event::NotJudged { .. } | Event::Opened { .. } | Event::Progress { .. } => {}
    };
    let run = campaign::run(&registry, &plan, &Arc::new(AtomicBool::new(false)), &listener)?;
    let companion = part(&run, COMPANION)?;
    assert_eq!((companion.verdict, companion.findings.len()), (Verdict::Agreed, 0));
    assert!(100_000 <= companion.ops, "the sound subject ran {} ops only", companion.ops);
    Ok((run, announced.into_inner()))
}

fn part<'a>(run: &'a RunFile, target: &dyn Target) -> Result<&'a SubjectRun, Failed> {
    run.subjects.iter().find(|part| part.subject == target.subject()).ok_or_else(|| "not in the run file".into())
}

fn rogue_is_one_finding(target: &'static dyn Target, signature: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (run, announced) = campaign_on(target, folder.path())?;
    let rogue = part(&run, target)?;
    let signatures: Vec<_> = rogue.findings.iter().map(|finding| finding.signature.as_str()).collect();
    assert_eq!(signatures, [signature]);
    assert_eq!(announced, 1);
    assert_eq!(rogue.verdict, if target.is_sound() { Verdict::Diverged } else { Verdict::Caught });
    assert!(1 < rogue.traces, "the campaign did not go on");
    assert_eq!(rogue.unconfirmed, 0);
    let files: Vec<PathBuf> = files_below(folder.path());
    assert_eq!(files, [PathBuf::from(&rogue.findings[0].trace)]);
    let registry = registry();
    let loaded = load(&registry, &files[0])?;
    assert_eq!(loaded.header.subject.as_deref(), Some(target.subject()));
    assert_eq!(loaded.header.expect.as_deref(), Some(signature));
    let ops = loaded.dialect.op_count(&loaded.wire);
    assert!(ops <= 1, "{ops} ops are left in a trace that needs one");
    let index = registry.index_of("guest_memory", target.subject()).ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let ending = isolation.replay(index, &loaded.wire, Audits::Full)?;
    let Some(Ending::Failed(failure)) = ending else {
        return Err(format!("replayed, it ended with {ending:?}").into());
    };
    assert_eq!(loaded.dialect.signature(&loaded.wire, &failure).as_str(), signature);
    said_what_happened(target.subject(), &failure);
    assert!(!Path::new(FORBIDDEN_FILE).exists());
    Ok(())
}

/// What a finding says beyond its signature.
fn said_what_happened(subject: &str, failure: &Failure) {
    let Cause::Fault(fault) = &failure.cause else { return };
    match fault.class {
        FaultClass::Segfault if subject != "raised_segfault" => assert_eq!(fault.address, Some(0x1000)),
        FaultClass::Exit => assert!(fault.message.starts_with(&format!("exit({})", &subject[5..])), "{fault:?}"),
        FaultClass::Panic => assert!(fault.message.starts_with("the text of a panic"), "{fault:?}"),
        FaultClass::Segfault
        | FaultClass::Killed
        | FaultClass::BusError
        | FaultClass::IllegalInstruction
        | FaultClass::ArithmeticFault
        | FaultClass::Abort
        | FaultClass::StackOverflow
        | FaultClass::Hang
        | FaultClass::MemoryLimit
        | FaultClass::ForbiddenCall
        | FaultClass::Trap => {}
    }
    let has_frames = fault.class != FaultClass::Exit;
    assert_eq!(!fault.frames.is_empty(), has_frames, "{fault:?}");
}

/// A failure that does not repeat on a fresh subject is no finding, but a shortfall, and its trace is kept.
fn what_does_not_repeat_is_kept() -> Result<(), Failed> {
    let target = LINGERING;
    let folder = tempfile::tempdir()?;
    let (run, announced) = campaign_on(target, folder.path())?;
    let rogue = part(&run, target)?;
    assert_eq!((rogue.findings.len(), announced), (0, 0));
    assert!(0 < rogue.unconfirmed && !run.totals.is_as_expected(), "{rogue:?}");
    assert!(rogue.shortfalls[0].contains("did not repeat"), "{:?}", rogue.shortfalls);
    let files = files_below(folder.path());
    assert!(
        !files.is_empty() && files.iter().all(|file| file.to_string_lossy().contains("lingering-unconfirmed-abort"))
    );
    // It is a trace like any other, and agrees when it runs alone.
    let loaded = load(&registry(), &files[0])?;
    assert_eq!((loaded.header.expect, loaded.header.subject.as_deref()), (None, Some("lingering")));
    Ok(())
}

fn no_finding(target: &'static dyn Target) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (run, announced) = campaign_on(target, folder.path())?;
    let part = part(&run, target)?;
    let signatures: Vec<_> = part.findings.iter().map(|finding| finding.signature.as_str()).collect();
    assert_eq!((part.verdict, &signatures[..], part.unconfirmed), (Verdict::Agreed, &[][..], 0));
    assert_eq!((announced, files_below(folder.path())), (0, Vec::new()));
    Ok(())
}

/// Runs one op on a rogue under isolation.
fn replay_one(subject: &str, op: Op) -> Result<Option<Ending>, Failed> {
    let registry = registry();
    let index = registry.index_of("guest_memory", subject).ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    Ok(isolation.replay(index, &wire(&[op]), Audits::Full)?)
}

/// Runs one op on a rogue, of which it must fail.
fn one_op(subject: &str, op: Op) -> Result<Failure, Failed> {
    match replay_one(subject, op)? {
        Some(Ending::Failed(failure)) => Ok(failure),
        ending => Err(format!("it ended with {ending:?}").into()),
    }
}

fn runaway_mmap() -> Result<(), Failed> {
    let op = Op::Read { owner: Owner::new_folded(0), address: GuestAddress(0), size: 1 };
    let failure = one_op("runaway_mmap", op)?;
    assert_eq!((failure.step, failure.cause.name()), (Step::Op(0), "memory_limit"));
    Ok(())
}

fn hang_where_it_hangs() -> Result<(), Failed> {
    let failure = one_op("hang", Op::MemorySize { owner: Owner::new_folded(0) })?;
    assert_eq!((failure.step, failure.cause.name()), (Step::Op(0), "hang"));
    let Cause::Fault(fault) = failure.cause else { return Err("not a fault".into()) };
    assert!(!fault.frames.is_empty(), "where it hangs is not on record");
    Ok(())
}

/// Each op is quick enough for no hang; all together are too much.
fn takes_too_long() -> Result<(), Failed> {
    let registry = registry();
    let index = registry.index_of("guest_memory", "sluggish").ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let ended = isolation.replay(index, &wire(&[READ; 30]), Audits::Full);
    let Err(IsolationError::NotJudged { why }) = ended else { return Err(format!("{ended:?}").into()) };
    assert_eq!(why, "it took more than 5 s of processor time");
    Ok(())
}

fn wire(ops: &[Op]) -> Vec<u8> {
    Trace::<GuestMemory>::new(Setup::flat(64), ops.to_vec()).to_wire()
}

const READ: Op = Op::Read { owner: Owner::new_folded(0), address: GuestAddress(0), size: 1 };
const WRITE: Op = Op::Write { owner: Owner::new_folded(0), address: GuestAddress(0), value: 1, size: 1 };

fn a_survey_goes_on_after_a_death() -> Result<(), Failed> {
    let registry = registry();
    let index = registry.index_of("guest_memory", "segfault").ok_or("not in the registry")?;
    let wires = [wire(&[WRITE]), wire(&[WRITE, READ]), wire(&[READ]), wire(&[WRITE, WRITE])];
    let wires: Vec<&[u8]> = wires.iter().map(Vec::as_slice).collect();
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let Surveyed::All(seen) = isolation.survey(index, &wires)? else { return Err("interrupted".into()) };
    let [TraceSurvey::Reached(one), TraceSurvey::Failed(second), TraceSurvey::Failed(first), TraceSurvey::Reached(two)] =
        &seen[..]
    else {
        return Err(format!("{seen:?}").into());
    };
    assert_eq!((second.step, first.step), (Step::Op(1), Step::Op(0)));
    assert_eq!(second.cause.name(), "segfault");
    assert!(!one.is_empty() && one.len() <= two.len(), "{one:?} {two:?}");
    Ok(())
}

/// Some subject of this program dies of every trace: nothing says what a trace is worth, so nothing is deleted.
fn a_corpus_keeps_and_names_what_kills() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let corpus = folder.path().join("guest_memory");
    std::fs::create_dir(&corpus)?;
    for name in ["id:000000", "id:000001"] {
        std::fs::write(corpus.join(name), wire(&[WRITE]))?;
    }
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let done = corpus::minimize(&mut isolation, &registry(), &corpus, true, Change::Files)?.ok_or("interrupted")?;
    assert_eq!(files_below(&corpus).len(), 2);
    assert_eq!((done.after.files, done.promoted.len(), done.troubles.len()), (2, 0, 2));
    let Trouble::Failed { target, signature, .. } = &done.troubles[0] else { return Err("not a failure".into()) };
    assert_eq!(
        (target.as_str(), signature.as_str()),
        ("guest_memory/segfault_at_build", "guest_memory/segfault/construct")
    );
    Ok(())
}

fn small_traces_find_a_rogue_once() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let registry = registry();
    let index = registry.index_of("guest_memory", "segfault").ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let done = campaign::exhaust(&mut isolation, &registry, index, 1, folder.path())?;
    let [(signature, filed)] = &done.found[..] else { return Err(format!("{:?}", done.found).into()) };
    assert_eq!((signature.as_str(), filed.ops, done.unconfirmed), ("guest_memory/segfault/read", 1, 0));
    assert_eq!((done.is_complete, done.counts.traces), (true, done.traces), "it goes on after each death");
    assert_eq!(files_below(folder.path()), std::slice::from_ref(&filed.path));
    // Traces that share a prefix fail alike: after some dozens it is given up.
    let done = campaign::exhaust(&mut isolation, &registry, index, 2, folder.path())?;
    assert_eq!((done.is_complete, done.found.len()), (false, 1));
    Ok(())
}

/// Whoever brings the trace: engines stay within the contract, and what a file asks for beyond it is not run.
fn nothing_is_judged_outside_of_a_contract() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let registry = registry();
    let index = registry.index_of("guest_memory", NARROW.subject()).ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let done = campaign::exhaust(&mut isolation, &registry, index, 1, folder.path())?;
    assert_eq!((done.counts.moot, done.counts.unsupported, done.shortfalls.len()), (0, 0, 0));
    let [(signature, filed)] = &done.found[..] else { return Err(format!("{:?}", done.found).into()) };
    assert_eq!(signature.as_str(), "guest_memory/memory_size/memory_size/value");
    assert!(NARROW.is_within_contract(&load(&registry, &filed.path)?.wire));

    for engine in [Engine::Random, Engine::Guided] {
        let out = folder.path().join(engine.to_string());
        let plan = Plan { engine, ..Plan::new(vec![index], 3, Budget::Ops(400_000), &out) };
        let run = campaign::run(&registry, &plan, &Arc::new(AtomicBool::new(false)), &|_| {})?;
        let part = part(&run, NARROW)?;
        assert_eq!((part.findings.len(), part.unsupported, part.unconfirmed), (1, 0, 0), "{part:?}");
        let loaded = load(&registry, Path::new(&part.findings[0].trace))?;
        assert_eq!((loaded.dialect.op_count(&loaded.wire), NARROW.is_within_contract(&loaded.wire)), (1, true));
    }

    let trace = Trace::<GuestMemory>::new(Setup::flat(4097), vec![WRITE, READ]).to_wire();
    for audits in [Audits::Full, Audits::EveryStep] {
        let ending = isolation.replay(index, &trace, audits)?;
        let why = "the memory is larger than this implementation serves";
        assert_eq!(ending, Some(Ending::Unsupported(why.to_owned())));
    }
    let told = isolation.narrate(index, &trace, 0)?;
    assert!(matches!(told, Some((ref told, Ending::Unsupported(_))) if told.is_empty()), "{told:?}");
    let Surveyed::All(seen) = isolation.survey(index, &[&trace])? else { return Err("interrupted".into()) };
    assert_eq!(seen, [TraceSurvey::Unjudged(Vec::new())]);
    Ok(())
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return files };
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}
