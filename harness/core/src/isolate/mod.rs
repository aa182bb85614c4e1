//! Isolation: subjects run in worker processes, because they write through wild pointers by design. A zygote forks a
//! worker for each job (a batch of traces, never one input at a time); a shared shared holds the job and the journal, so the
//! death of a worker, even by SIGKILL, is data: which trace, which op, which fault.

mod counters;
mod ending;
mod fault;
pub mod heap;
mod job;
mod kept;
mod sandbox;
mod shared;
mod speed;
mod supervised;
mod survey;
mod symbolise;
mod window;
mod worker;
mod zygote;

pub use counters::ExtraCounters;
pub(crate) use supervised::{FuzzerEnd, Notes, supervise};
pub use survey::{Surveyed, TraceSurvey};
pub(crate) use window::reserve as reserve_windows;
pub use zygote::serve_if_asked;

use crate::engines::Engine;
use crate::feedback::Kept;
use crate::finding::{Cause, Ending, Failure, Step};
use crate::lockstep::{Audits, COUNTS};
use job::{JobKind, JobRecord, Reason, Report};
use memtwin_models::StateMap;
use memtwin_models::wire::MAX_WIRE_BYTES;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::personality::Persona;
use shared::{MAX_FRAMES, OUTPUT_BYTES, SharedMemory};
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The most memory that a worker may allocate, in bytes.
const HEAP_LIMIT_BYTES: u64 = 1 << 30;
/// How much of a worker's standard output and error is kept, in bytes.
const VOICE_BYTES: usize = 4096;
/// How often a waiting supervisor looks whether it was interrupted.
const INTERRUPT_CHECK_MILLISECONDS: u16 = 50;

/// A batch of random traces.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// The target's index in the registry.
    pub target: usize,
    /// The stream of the epoch.
    pub stream: u64,
    /// The first trace's number.
    pub first_trace: u64,
    /// The batch ends after the trace that reaches this many ops since [`Isolation::clear_counts`].
    pub ops_budget: u64,
    /// The batch ends after the trace during which this moment of [`monotonic_nanoseconds`] passes.
    pub deadline_nanoseconds: u64,
    /// Whether the state is audited after every op.
    pub strict: bool,
    /// Where the traces come from.
    pub engine: Engine,
}

/// How a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchEnd {
    /// The budget is used up.
    Done,
    /// A trace failed; the batch may go on with the next.
    Failed {
        /// The trace's number.
        trace: u64,
        /// Its wire bytes.
        wire: Vec<u8>,
        /// Where and how.
        failure: Failure,
    },
    /// The supervisor was interrupted.
    Interrupted,
}

/// What a batch counted, since [`Isolation::clear_counts`].
#[derive(Debug, Clone)]
pub struct Counts {
    /// Traces, with failed ones.
    pub traces: u64,
    /// Ops.
    pub ops: u64,
    /// Moot traces.
    pub moot: u64,
    /// Traces whose setup the subject cannot serve.
    pub unsupported: u64,
    /// By (op kind, outcome class).
    pub outcomes: [u64; COUNTS],
    /// The state map.
    pub features: Box<[u8; StateMap::SIZE]>,
}

/// Why a job could not be run at all.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IsolationError {
    #[error("cannot start a zygote from {program}: {source}")]
    Start { program: PathBuf, source: io::Error },
    #[error("the zygote is gone: {source}; run `memtwin doctor`")]
    Gone { source: io::Error },
    #[error("the zygote cannot fork a worker: the system is out of processes or memory")]
    NoWorker,
    #[error("a worker cannot be sandboxed: this system refuses seccomp filters; allow them, or run elsewhere")]
    NoSandbox,
}

/// One worker at a time, and the zygote it comes from.
#[derive(Debug)]
pub struct Isolation {
    zygote: Child,
    commands: UnixStream,
    voice: UnixStream,
    /// What the worker of the job said on standard output and error, from the start.
    heard: Vec<u8>,
    shared: SharedMemory,
    interrupted: Arc<AtomicBool>,
}

impl Isolation {
    /// Starts a zygote from this program, whose `main` calls [`serve_if_asked`] first. When `interrupted` becomes true,
    /// running jobs end early. The zygote has the command line of this process, so that a `main` which makes rows of its
    /// command line makes the same ones there.
    pub fn start(interrupted: Arc<AtomicBool>) -> Result<Self, IsolationError> {
        // The program itself, not its path: it may have been replaced since.
        Self::start_with("/proc/self/exe".into(), std::env::args_os().skip(1), interrupted)
    }

    /// As [`Isolation::start`], from another program that serves as a zygote, without arguments.
    pub fn start_from(program: PathBuf, interrupted: Arc<AtomicBool>) -> Result<Self, IsolationError> {
        Self::start_with(program, std::iter::empty(), interrupted)
    }

    #[allow(clippy::needless_pass_by_value)] // the errors name it
    fn start_with(
        program: PathBuf,
        arguments: impl Iterator<Item = OsString>,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, IsolationError> {
        let failed = |source| IsolationError::Start { program: program.clone(), source };
        let shared = SharedMemory::create().map_err(failed)?;
        let (commands, zygote_commands) = UnixStream::pair().map_err(failed)?;
        let (voice, worker_voice) = UnixStream::pair().map_err(failed)?;
        voice.set_nonblocking(true).map_err(failed)?;
        let kept = [zygote_commands.as_raw_fd(), shared.descriptor().as_raw_fd(), worker_voice.as_raw_fd()];
        let zygote = spawn(&program, arguments, kept).map_err(failed)?;
        drop((zygote_commands, OwnedFd::from(worker_voice)));
        Ok(Isolation { zygote, commands, voice, heard: Vec::new(), shared, interrupted })
    }

    /// Sets every count to zero: a new epoch begins.
    pub fn clear_counts(&mut self) {
        let shared = self.shared.get_mut();
        for count in [&shared.ops, &shared.traces, &shared.moot, &shared.unsupported] {
            count.store(0, Ordering::Relaxed);
        }
        shared.counts.fill(0);
        shared.features.fill(0);
    }

    /// The traces that the guided engine starts from. Returns how many there was room for.
    pub fn set_kept(&mut self, kept: &[Kept]) -> usize {
        let shared = self.shared.get_mut();
        kept::clear(shared);
        kept.iter().take_while(|kept| kept::add(shared, kept)).count()
    }

    /// The traces that the guided engine kept, from number `first` on.
    #[must_use]
    pub fn kept(&self, first: usize) -> Vec<Kept> {
        kept::from(self.shared.get(), first)
    }

    /// What was counted since [`Isolation::clear_counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        let shared = self.shared.get();
        Counts {
            traces: shared.traces.load(Ordering::Relaxed),
            ops: shared.ops.load(Ordering::Relaxed),
            moot: shared.moot.load(Ordering::Relaxed),
            unsupported: shared.unsupported.load(Ordering::Relaxed),
            outcomes: shared.counts,
            features: Box::new(shared.features),
        }
    }

    /// Runs random traces until the budget is used up or one fails.
    pub fn run_batch(&mut self, batch: &Batch) -> Result<BatchEnd, IsolationError> {
        let audits = if batch.strict { Audits::EveryStep } else { Audits::Sample };
        self.shared.get_mut().job = JobRecord {
            stream: batch.stream,
            first_trace: batch.first_trace,
            ops_budget: batch.ops_budget,
            deadline_nanoseconds: batch.deadline_nanoseconds,
            engine: batch.engine as u32,
            ..job(JobKind::Campaign, batch.target, audits)
        };
        self.run_traces()
    }

    /// Runs small traces, in the order of their numbers, until they are done or one fails.
    pub fn exhaust(&mut self, target: usize, depth: u32, traces: Range<u64>) -> Result<BatchEnd, IsolationError> {
        let job = job(JobKind::Exhaust, target, Audits::Full);
        self.shared.get_mut().job = JobRecord { first_trace: traces.start, end_trace: traces.end, depth, ..job };
        self.run_traces()
    }

    fn run_traces(&mut self) -> Result<BatchEnd, IsolationError> {
        let Some(ending) = self.run_worker()? else { return Ok(BatchEnd::Interrupted) };
        let shared = self.shared.get();
        match ending {
            Ending::Failed(failure) => {
                let trace = shared.trace.load(Ordering::Relaxed);
                if let Cause::Fault(_) = failure.cause {
                    // The worker could not count its last trace any more.
                    let ops = match failure.step {
                        Step::Op(index) => u64::from(index) + 1,
                        Step::Construct | Step::Audit | Step::Teardown => 0,
                    };
                    shared.ops.fetch_add(ops, Ordering::Relaxed);
                    shared.traces.fetch_add(1, Ordering::Relaxed);
                }
                Ok(BatchEnd::Failed { trace, wire: self.journalled_wire(), failure })
            }
            Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_) => Ok(BatchEnd::Done),
        }
    }

    /// Runs one trace; `None` when interrupted.
    pub fn replay(&mut self, target: usize, wire: &[u8], audits: Audits) -> Result<Option<Ending>, IsolationError> {
        self.load(JobKind::Replay, target, wire, audits);
        self.run_worker()
    }

    /// Runs one trace and returns what the narrator wrote of the ops from number `first` on, with how the worker ended.
    pub fn narrate(
        &mut self,
        target: usize,
        wire: &[u8],
        first: usize,
    ) -> Result<Option<(Vec<u8>, Ending)>, IsolationError> {
        self.load(JobKind::Narrate, target, wire, Audits::Full);
        self.shared.get_mut().job.first_trace = first as u64;
        let Some(ending) = self.run_worker()? else { return Ok(None) };
        Ok(Some((self.output(), ending)))
    }

    /// The functions of a fault's frames, innermost first, one a line.
    pub fn symbolise(&mut self, frames: &[u64]) -> Result<Vec<String>, IsolationError> {
        // The instruction of the fault is still in the record: the symbolising process needs it.
        let instruction = self.shared.get().fault.instruction;
        self.shared.get_mut().job = job(JobKind::Symbolise, 0, Audits::Full);
        self.clear_report();
        let record = &mut self.shared.get_mut().fault;
        let count = frames.len().min(MAX_FRAMES);
        record.instruction = instruction;
        record.frames[..count].copy_from_slice(&frames[..count]);
        #[allow(clippy::cast_possible_truncation)] // at most MAX_FRAMES
        record.frame_count.store(count as u32, Ordering::Release);
        self.fork_and_wait()?;
        Ok(String::from_utf8_lossy(&self.output()).lines().map(str::to_owned).collect())
    }

    fn load(&mut self, kind: JobKind, target: usize, wire: &[u8], audits: Audits) {
        assert!(wire.len() <= MAX_WIRE_BYTES, "a trace of {} wire bytes was let through", wire.len());
        let shared = self.shared.get_mut();
        shared.job = job(kind, target, audits);
        shared.wire[..wire.len()].copy_from_slice(wire);
        #[allow(clippy::cast_possible_truncation)] // at most MAX_WIRE_BYTES
        shared.wire_length.store(wire.len() as u32, Ordering::Release);
    }

    fn output(&self) -> Vec<u8> {
        let shared = self.shared.get();
        let length = shared.output_length.load(Ordering::Acquire) as usize;
        shared.output[..length.min(OUTPUT_BYTES)].to_vec()
    }

    fn journalled_wire(&self) -> Vec<u8> {
        let shared = self.shared.get();
        let length = shared.wire_length.load(Ordering::Acquire) as usize;
        shared.wire[..length.min(MAX_WIRE_BYTES)].to_vec()
    }

    fn clear_report(&mut self) {
        let shared = self.shared.get_mut();
        shared.report.store(Report::None as u32, Ordering::Relaxed);
        shared.fault.signal.store(0, Ordering::Relaxed);
        shared.fault.frame_count.store(0, Ordering::Relaxed);
        shared.fault.instruction = 0;
        shared.fault.is_stack_overflow = 0;
        shared.output_length.store(0, Ordering::Relaxed);
        shared.message.set("");
    }

    /// Runs the job in the shared; `None` when interrupted.
    fn run_worker(&mut self) -> Result<Option<Ending>, IsolationError> {
        self.clear_report();
        let (reason, status) = self.fork_and_wait()?;
        let voice = String::from_utf8_lossy(&self.heard);
        Ok((reason != Reason::Cancelled).then(|| self.ending(reason, status, voice.trim_end())))
    }

    fn fork_and_wait(&mut self) -> Result<(Reason, i32), IsolationError> {
        let gone = |source| IsolationError::Gone { source };
        self.heard.clear();
        self.commands.write_all(&[zygote::FORK]).map_err(gone)?;
        let mut cancelled = false;
        loop {
            let mut events = [&self.commands, &self.voice].map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
            let ready = poll(&mut events, INTERRUPT_CHECK_MILLISECONDS).unwrap_or(0);
            let [has_reply, has_voice] = events.map(|event| ready != 0 && event.any().unwrap_or(false));
            if has_voice {
                self.hear();
            }
            if has_reply {
                break;
            }
            if self.interrupted.load(Ordering::Relaxed) && !cancelled {
                cancelled = true;
                self.commands.write_all(&[zygote::CANCEL]).map_err(gone)?;
            }
        }
        let mut reply = [0; 5];
        self.commands.read_exact(&mut reply).map_err(gone)?;
        while self.hear() {}
        let [reason, status @ ..] = reply;
        let reason = Reason::of(reason)?;
        if reason == Reason::NoWorker {
            return Err(IsolationError::NoWorker);
        }
        if Report::of(self.shared.get().report.load(Ordering::Acquire)) == Report::NoSandbox {
            return Err(IsolationError::NoSandbox);
        }
        Ok((reason, i32::from_le_bytes(status)))
    }

    /// Takes what the worker says, so that much talk never blocks it, and keeps the start; says whether there was any.
    fn hear(&mut self) -> bool {
        let mut chunk = [0; 1 << 16];
        let Ok(length @ 1..) = self.voice.read(&mut chunk) else { return false };
        let room = VOICE_BYTES.saturating_sub(self.heard.len()).min(length);
        self.heard.extend_from_slice(&chunk[..room]);
        true
    }
}

impl Drop for Isolation {
    fn drop(&mut self) {
        // The zygote ends when its commands end; should it not, it is ended.
        let _ = self.commands.shutdown(std::net::Shutdown::Both);
        for _ in 0..50 {
            if !matches!(self.zygote.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.zygote.kill();
        let _ = self.zygote.wait();
    }
}

fn job(kind: JobKind, target: usize, audits: Audits) -> JobRecord {
    JobRecord {
        kind: kind as u32,
        #[allow(clippy::cast_possible_truncation)] // an index into a list in memory
        target: target as u32,
        audits: audits as u32,
        stream: 0,
        first_trace: 0,
        ops_budget: 0,
        end_trace: 0,
        depth: 0,
        deadline_nanoseconds: u64::MAX,
        heap_limit_bytes: HEAP_LIMIT_BYTES,
        engine: Engine::Random as u32,
    }
}

/// Starts the program as a zygote that keeps these descriptors.
fn spawn(program: &Path, arguments: impl Iterator<Item = OsString>, kept: [RawFd; 3]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments);
    command.env(zygote::VARIABLE, kept.map(|descriptor| descriptor.to_string()).join(","));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let prepare = move || {
        for descriptor in kept {
            // SAFETY: clears close-on-exec of a descriptor that is open; fcntl is async-signal-safe.
            if unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        // Same addresses in every run. Where it is forbidden, runs differ in addresses only, which no outcome holds.
        let _ = nix::sys::personality::set(Persona::ADDR_NO_RANDOMIZE);
        Ok(())
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

/// Tells the processes that this one starts that a supervisor is there already. Call it before any thread.
pub(crate) fn mark_supervised(variable: &str) {
    // SAFETY: the caller promises that no other thread reads or writes the environment.
    unsafe { std::env::set_var(variable, "1") };
}

/// The time of CLOCK_MONOTONIC in nanoseconds, the same in all processes.
#[must_use]
pub fn monotonic_nanoseconds() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX))
}

/// Whether this program was built with AddressSanitizer, which brings fault handlers and system calls of its own.
pub(crate) const fn has_address_sanitizer() -> bool {
    cfg!(memtwin_address_sanitizer)
}
