//! The worker: one process, one job. It writes what it is about to do into the slot, does it, and ends. It makes no
//! decision: what its end means is for the supervisor to say.

use super::slot::{JobKind, Report, SharedSlot, Slot};
use super::{fault, heap, kept, sandbox};
use crate::engines::guided::Guided;
use crate::engines::{Engine, TraceSource};
use crate::lockstep::{Audits, CLOSE_LOOK_EVERY, COUNTS, Ended, Journal, Narrator, place_of};
use crate::mutate::Mutator;
use crate::registry::Registry;
use crate::target::Target;
use memtwin_models::StateMap;
use nix::sys::resource::{Resource, setrlimit};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// Does the job in the slot and ends the process.
pub(super) fn work(slot: &mut SharedSlot, voice: &OwnedFd, registry: &Registry) -> ! {
    let _ = nix::sys::prctl::set_pdeathsig(Some(nix::sys::signal::Signal::SIGKILL));
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    close_descriptors(voice);
    let slot = slot.get_mut();
    let kind = slot.job.kind;
    if kind == JobKind::Symbolise as u32 {
        super::symbolise::run(slot);
        exit();
    }
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("(no text)");
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        fault::note_panic(&format!("{text}{place}"));
    }));
    // A subject never runs without its sandbox, except under AddressSanitizer, which needs more system calls than it.
    if !super::has_address_sanitizer() && !sandbox::enter() {
        slot.report.store(Report::NoSandbox as u32, Ordering::Release);
        exit();
    }
    let Some(target) = registry.get(slot.job.target as usize) else { exit() };
    heap::limit(slot.job.heap_limit_bytes);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        if kind == JobKind::Campaign as u32 {
            campaign(slot, target);
        } else if kind == JobKind::Replay as u32 {
            replay(slot, target);
        } else if kind == JobKind::Exhaust as u32 {
            exhaust(slot, target);
        } else if kind == JobKind::Survey as u32 {
            super::survey::run(slot, target);
        } else if kind == JobKind::Speed as u32 {
            super::speed::run(slot, target);
        } else {
            narrate(slot, target);
        }
    }));
    if unwound.is_err() {
        slot.report.store(Report::Panicked as u32, Ordering::Release);
    }
    exit()
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

fn audits(number: u32) -> Audits {
    if number == Audits::EveryStep as u32 { Audits::EveryStep } else { Audits::Full }
}

fn campaign(slot: &mut Slot, target: &'static dyn Target) {
    let job = slot.job;
    let mut runner = target.runner();
    let mut engine = Source::start(slot, target);
    let mut wire = Vec::with_capacity(1 << 16);
    let mut index = job.first_trace;
    let strict = audits(job.audits) == Audits::EveryStep;
    while slot.ops.load(Ordering::Relaxed) < job.ops_budget {
        engine.traces().write(job.stream, index, &mut wire);
        put_on_record(slot, index, &wire);
        let is_close_look = index.is_multiple_of(CLOSE_LOOK_EVERY);
        let audits = match is_close_look {
            _ if strict => Audits::EveryStep,
            true => Audits::Full,
            false => Audits::Sample,
        };
        let Slot { place, counts, features, .. } = &mut *slot;
        let features = match &mut engine {
            Source::Guided(_, map) => Some(&mut **map),
            Source::Random(_) => is_close_look.then_some(features),
        };
        let mut journal = Journal { place, counts, features, ops: 0 };
        let ended = runner.run(&wire, audits, &mut journal);
        let ops = journal.ops;
        note_end(slot, ops, &ended);
        match ended {
            Ended::Agreed => engine.learn(&wire, slot),
            Ended::Moot { .. } | Ended::Unsupported(_) => engine.forget(),
            Ended::Diverged { .. } => return report(slot, &ended),
        }
        index += 1;
        if job.deadline_nanoseconds <= super::monotonic_nanoseconds() {
            break;
        }
    }
    let Slot { place, counts, .. } = &mut *slot;
    runner.finish(&mut Journal { place, counts, features: None, ops: 0 });
    slot.report.store(Report::Done as u32, Ordering::Release);
}

/// The trace is on record before it runs.
pub(super) fn put_on_record(slot: &mut Slot, index: u64, wire: &[u8]) {
    slot.trace.store(index, Ordering::Relaxed);
    slot.wire[..wire.len()].copy_from_slice(wire);
    #[allow(clippy::cast_possible_truncation)] // at most MAX_WIRE_BYTES
    slot.wire_length.store(wire.len() as u32, Ordering::Release);
}

/// Counts a trace that came to its end.
fn note_end(slot: &Slot, ops: u64, ended: &Ended) {
    slot.ops.fetch_add(ops, Ordering::Relaxed);
    slot.traces.fetch_add(1, Ordering::Relaxed);
    match ended {
        Ended::Moot { .. } => {
            slot.moot.fetch_add(1, Ordering::Relaxed);
        }
        Ended::Unsupported(_) => {
            slot.unsupported.fetch_add(1, Ordering::Relaxed);
        }
        Ended::Agreed | Ended::Diverged { .. } => {}
    }
}

fn exhaust(slot: &mut Slot, target: &'static dyn Target) {
    let job = slot.job;
    let mut runner = target.runner();
    let mut traces = target.dialect().small_traces(job.depth);
    let mut wire = Vec::new();
    for index in job.first_trace..job.end_trace {
        traces.write(0, index, &mut wire);
        put_on_record(slot, index, &wire);
        let Slot { place, counts, .. } = &mut *slot;
        let mut journal = Journal { place, counts, features: None, ops: 0 };
        let ended = runner.run(&wire, Audits::Full, &mut journal);
        let ops = journal.ops;
        note_end(slot, ops, &ended);
        if let Ended::Diverged { .. } = ended {
            return report(slot, &ended);
        }
    }
    let Slot { place, counts, .. } = &mut *slot;
    runner.finish(&mut Journal { place, counts, features: None, ops: 0 });
    slot.report.store(Report::Done as u32, Ordering::Release);
}

/// The engine of a campaign.
enum Source {
    Guided(Box<Guided>, Box<[u8; StateMap::SIZE]>),
    Random(Box<dyn TraceSource>),
}

impl Source {
    fn start(slot: &Slot, target: &'static dyn Target) -> Self {
        if slot.job.engine == Engine::Random as u32 {
            return Source::Random(target.traces());
        }
        let mut guided = Guided::new(target.traces(), Mutator::new(target.dialect().cutter()));
        kept::from(slot, 0).into_iter().for_each(|kept| guided.adopt(kept));
        Source::Guided(Box::new(guided), Box::new([0; StateMap::SIZE]))
    }

    fn traces(&mut self) -> &mut dyn TraceSource {
        match self {
            Source::Guided(guided, _) => &mut **guided,
            Source::Random(traces) => &mut **traces,
        }
    }

    /// What a trace reached that says nothing is not the next one's.
    fn forget(&mut self) {
        if let Source::Guided(_, map) = self {
            map.fill(0);
        }
    }

    /// Keeps the trace if it reached something new.
    fn learn(&mut self, wire: &[u8], slot: &mut Slot) {
        let Source::Guided(guided, map) = self else { return };
        if let Some(kept) = guided.learn(wire, map) {
            for reached in &kept.reached {
                slot.features[usize::from(reached >> 3)] = 1;
            }
            // Without room the epoch keeps it for itself.
            kept::add(slot, kept);
        }
    }
}

fn replay(slot: &mut Slot, target: &'static dyn Target) {
    let audits = audits(slot.job.audits);
    let mut runner = target.runner();
    let length = slot.wire_length.load(Ordering::Acquire) as usize;
    let wire = slot.wire[..length].to_vec();
    // Confirming and shrinking are no part of the campaign: their counts are nobody's.
    let mut counts = Box::new([0; COUNTS]);
    let mut journal = Journal { place: &slot.place, counts: &mut counts, features: None, ops: 0 };
    let ended = runner.run(&wire, audits, &mut journal);
    if !matches!(ended, Ended::Diverged { .. }) {
        runner.finish(&mut journal);
    }
    report(slot, &ended);
}

fn narrate(slot: &mut Slot, target: &'static dyn Target) {
    let length = slot.wire_length.load(Ordering::Acquire) as usize;
    let wire = slot.wire[..length].to_vec();
    let Slot { job, place, output, output_length, .. } = &mut *slot;
    let first = usize::try_from(job.first_trace).unwrap_or(usize::MAX);
    let ended = target.narrate(&wire, &mut Narrator::new(first, place, output, output_length));
    report(slot, &ended);
}

pub(super) fn report(slot: &mut Slot, ended: &Ended) {
    let report = match ended {
        Ended::Agreed => Report::Done,
        Ended::Moot { op, reason } => {
            slot.place.store(*op, Ordering::Relaxed);
            slot.message.set(reason);
            Report::Moot
        }
        Ended::Unsupported(reason) => {
            slot.message.set(reason);
            Report::Unsupported
        }
        Ended::Diverged { step, divergence } => {
            slot.place.store(place_of(*step), Ordering::Relaxed);
            slot.law.set(divergence.law);
            slot.field.set(divergence.field);
            slot.has_place = u32::from(divergence.place.is_some());
            slot.law_place = divergence.place.unwrap_or(0);
            Report::Diverged
        }
    };
    slot.report.store(report as u32, Ordering::Release);
}
