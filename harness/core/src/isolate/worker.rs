//! The worker: one process, one job. It writes what it is about to do into the shared, does it, and ends. It makes no
//! decision: what its end means is for the supervisor to say.

use super::feed::Feed;
use super::job::{JobKind, Report};
use super::shared::{Shared, SharedMemory};
use super::{fault, heap, sandbox};
use crate::accepted::Accepted;
use crate::engines::{Engine, TraceSource as _};
use crate::lockstep::{Audits, BEHIND_KNOWN, CLOSE_LOOK_EVERY, COUNTS, Ended, Journal, Narrator, Runner, number_of};
use crate::registry::Registry;
use crate::target::Target;
use crate::vacuity;
use memtwin_wild::requests;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::Pid;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// A batch ends after so many traces in a row without an op: the subject serves nothing, and the budget would last for
/// ever.
const MOST_IDLE_TRACES: u32 = 4096;
/// A process that was refused to give back this many bytes, in all its traces together, begins no other trace.
const MOST_LEFT_BYTES: u64 = 512 << 20;

/// Does the job in the shared and ends the process.
pub(super) fn work(shared: &mut SharedMemory, voice: &OwnedFd, registry: &Registry) -> ! {
    let _ = nix::sys::prctl::set_pdeathsig(Some(nix::sys::signal::Signal::SIGKILL));
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    close_descriptors(voice);
    let shared = shared.get_mut();
    let Some((kind, audits, engine)) = shared.job.decode() else { exit() };
    if kind == JobKind::Symbolise {
        super::symbolise::run(shared);
        exit();
    }
    std::panic::set_hook(Box::new(|panic| {
        requests::leave();
        let text = panic.payload_as_str().unwrap_or("(no text)");
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        fault::note_panic(&format!("{text}{place}"));
    }));
    let Some(target) = registry.get(shared.job.target as usize) else { exit() };
    if target.origin().is_some() {
        fault::answer_refusals();
    }
    if 1 < target.dialect().lanes() {
        keep_to_one_processor(shared.job.worker);
    }
    // A subject never runs without its sandbox, except under AddressSanitizer, which needs more system calls than it.
    if !super::has_address_sanitizer() && !sandbox::enter() {
        shared.report.store(Report::NoSandbox as u32, Ordering::Release);
        exit();
    }
    heap::limit(shared.job.heap_limit_bytes);
    let unwound = catch_unwind(AssertUnwindSafe(|| match kind {
        JobKind::Campaign => campaign(shared, target, audits, engine),
        JobKind::Replay => replay(shared, target, audits),
        JobKind::Narrate => narrate(shared, target),
        JobKind::Exhaust => exhaust(shared, target),
        JobKind::Survey => super::survey::run(shared, target),
        JobKind::Speed => super::speed::run(shared, target),
        JobKind::Symbolise => {}
    }));
    if unwound.is_err() {
        shared.report.store(Report::Panicked as u32, Ordering::Release);
    }
    exit()
}

/// Keeps this process to one processor, another one for each worker as long as there are enough. Threads that take
/// turns never run at once; on one processor the turn goes on within a microsecond, between two it takes many times as
/// long. Where the host refuses, it is slower.
fn keep_to_one_processor(worker: u32) {
    let this = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this) else { return };
    let processors: Vec<usize> = (0..CpuSet::count()).filter(|&number| allowed.is_set(number) == Ok(true)).collect();
    let mut one = CpuSet::new();
    if let Some(number) = processors.get(worker as usize % processors.len().max(1))
        && one.set(*number).is_ok()
    {
        let _ = sched_setaffinity(this, &one);
    }
}

/// Ends at once: destructors and exit handlers of a subject have no say here.
fn exit() -> ! {
    // SAFETY: _exit is always sound; it never returns.
    unsafe { libc::_exit(0) }
}

/// Standard output and error become the voice, a pipe that never blocks; everything else is closed.
fn close_descriptors(voice: &OwnedFd) {
    for standard in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both are descriptor numbers; the worker has one thread.
        unsafe { libc::dup2(voice.as_raw_fd(), standard) };
    }
    // SAFETY: closes from 3 to the last (man 2 close_range); nothing that the worker uses later is among them.
    unsafe { libc::close_range(3, u32::MAX, 0) };
}

fn campaign(shared: &mut Shared, target: &'static dyn Target, audits: Audits, engine: Engine) {
    let job = shared.job;
    let mut runner = runner(shared, target);
    let mut feed = Feed::start(shared, target, engine);
    let mut wire = Vec::with_capacity(1 << 16);
    let mut index = job.first_trace;
    let strict = audits == Audits::EveryStep;
    let mut idle_traces = 0;
    while shared.ops.load(Ordering::Relaxed) < job.ops_budget {
        feed.write(index, &mut wire, shared);
        put_on_record(shared, index, &wire);
        let is_close_look = index.is_multiple_of(CLOSE_LOOK_EVERY);
        let audits = match is_close_look {
            _ if strict => Audits::EveryStep,
            true => Audits::Full,
            false => Audits::Sample,
        };
        let Shared { step, counts, features, .. } = &mut *shared;
        let features = feed.map().or(is_close_look.then_some(features));
        let mut journal = Journal { step, counts, features, ops: 0 };
        let ended = runner.run(&wire, audits, &mut journal);
        let ops = journal.ops;
        note_end(shared, ops, &ended, &mut *runner);
        match ended {
            Ended::Agreed => feed.learn(index, &wire, shared),
            Ended::Moot { .. } | Ended::Known { .. } | Ended::Unsupported(_) => feed.forget(),
            Ended::Diverged { .. } => return report(shared, &ended),
        }
        index += 1;
        if is_spent(shared, target) {
            break;
        }
        idle_traces = if ops == 0 { idle_traces + 1 } else { 0 };
        if idle_traces == MOST_IDLE_TRACES || job.deadline_nanoseconds <= super::monotonic_nanoseconds() {
            break;
        }
    }
    let Shared { step, counts, .. } = &mut *shared;
    runner.finish(&mut Journal { step, counts, features: None, ops: 0 });
    let report = if is_spent(shared, target) { Report::Spent } else { Report::Done };
    shared.report.store(report as u32, Ordering::Release);
}

/// Whether what earlier traces left behind is enough for this process.
fn is_spent(shared: &Shared, target: &dyn Target) -> bool {
    let is_large = || target.outlives_traces() && shared.is_large.load(Ordering::Relaxed) != 0;
    MOST_LEFT_BYTES <= requests::left_bytes() || is_large()
}

/// The trace is on record before it runs.
pub(super) fn put_on_record(shared: &mut Shared, index: u64, wire: &[u8]) {
    shared.trace.store(index, Ordering::Relaxed);
    shared.set_wire(wire);
}

/// A runner that goes on behind what is accepted.
pub(super) fn runner(shared: &Shared, target: &'static dyn Target) -> Box<dyn Runner> {
    let mut runner = target.runner();
    *runner.accepted() = Accepted::parse(&shared.accepted.get());
    runner
}

/// Counts a trace that came to its end.
fn note_end(shared: &mut Shared, ops: u64, ended: &Ended, runner: &mut dyn Runner) {
    let accepted = runner.accepted();
    if !accepted.is_empty() {
        for (sum, steps) in shared.accepted_steps.iter_mut().zip(accepted.take_steps()) {
            *sum = sum.saturating_add(steps);
        }
    }
    shared.ops.fetch_add(ops, Ordering::Relaxed);
    shared.traces.fetch_add(1, Ordering::Relaxed);
    // A subject that diverged is built anew in any case.
    if !runner.was_reset() && matches!(ended, Ended::Agreed | Ended::Moot { .. }) {
        shared.rebuilt.fetch_add(1, Ordering::Relaxed);
    }
    match ended {
        Ended::Moot { .. } | Ended::Known { .. } => {
            shared.moot.fetch_add(1, Ordering::Relaxed);
        }
        Ended::Unsupported(_) => {
            shared.unsupported.fetch_add(1, Ordering::Relaxed);
        }
        Ended::Agreed | Ended::Diverged { .. } => {}
    }
}

fn exhaust(shared: &mut Shared, target: &'static dyn Target) {
    let job = shared.job;
    let mut runner = runner(shared, target);
    let mut traces = target.small_traces(job.depth);
    let mut wire = Vec::new();
    for index in job.first_trace..job.end_trace {
        traces.write(0, index, &mut wire);
        put_on_record(shared, index, &wire);
        let Shared { step, counts, .. } = &mut *shared;
        let mut journal = Journal { step, counts, features: None, ops: 0 };
        let ended = runner.run(&wire, Audits::Full, &mut journal);
        let ops = journal.ops;
        note_end(shared, ops, &ended, &mut *runner);
        if let Ended::Diverged { .. } = ended {
            return report(shared, &ended);
        }
        if is_spent(shared, target) {
            break;
        }
    }
    let Shared { step, counts, .. } = &mut *shared;
    runner.finish(&mut Journal { step, counts, features: None, ops: 0 });
    let report = if is_spent(shared, target) { Report::Spent } else { Report::Done };
    shared.report.store(report as u32, Ordering::Release);
}

fn replay(shared: &mut Shared, target: &'static dyn Target, audits: Audits) {
    let mut runner = runner(shared, target);
    let wire = shared.wire().to_vec();
    // Confirming and shrinking are no part of the campaign: their counts are nobody's.
    let mut counts = Box::new([0; COUNTS]);
    let mut journal = Journal { step: &shared.step, counts: &mut counts, features: None, ops: 0 };
    let ended = runner.run(&wire, audits, &mut journal);
    if !matches!(ended, Ended::Diverged { .. }) {
        runner.finish(&mut journal);
    }
    let met = (0..).zip(runner.accepted().take_steps()).filter(|(_, steps)| 0 < *steps);
    shared.met.store(met.fold(0, |bits, (index, _)| bits | 1_u32 << index), Ordering::Relaxed);
    shared.skipped.store(vacuity::skipped(target.dialect().outcome_classes(), &counts), Ordering::Relaxed);
    report(shared, &ended);
}

fn narrate(shared: &mut Shared, target: &'static dyn Target) {
    let wire = shared.wire().to_vec();
    let Shared { job, accepted, step, output, output_length, .. } = &mut *shared;
    let first = usize::try_from(job.first_trace).unwrap_or(usize::MAX);
    let accepted = Accepted::parse(&accepted.get());
    let ended = target.narrate(&wire, &mut Narrator::new(first, accepted, step, output, output_length));
    report(shared, &ended);
}

pub(super) fn report(shared: &mut Shared, ended: &Ended) {
    let report = match ended {
        Ended::Agreed => Report::Done,
        Ended::Moot { op, reason } => {
            shared.step.store(*op, Ordering::Relaxed);
            shared.message.set(reason);
            Report::Moot
        }
        Ended::Known { op } => {
            shared.step.store(*op, Ordering::Relaxed);
            shared.message.set(BEHIND_KNOWN);
            Report::Moot
        }
        Ended::Unsupported(reason) => {
            shared.message.set(reason);
            Report::Unsupported
        }
        Ended::Diverged { step, divergence } => {
            shared.step.store(number_of(*step), Ordering::Relaxed);
            shared.law.set(divergence.law);
            shared.field.set(divergence.field);
            shared.has_place = u32::from(divergence.place.is_some());
            shared.law_place = divergence.place.unwrap_or(0);
            Report::Diverged
        }
    };
    shared.report.store(report as u32, Ordering::Release);
}
