//! Isolation: subjects run in worker processes, because they write through wild pointers by design. A zygote forks a
//! worker for each job (a batch of traces, never one input at a time); shared memory holds the job and the journal, so
//! the death of a worker, even by SIGKILL, is data: which trace, which op, which fault.

mod again;
mod counters;
mod ending;
mod fault;
mod feed;
pub mod heap;
mod interrupt;
mod job;
mod kept;
mod landlock;
mod process;
mod sandbox;
mod shared;
mod speed;
mod supervised;
mod survey;
mod symbolise;
mod window;
mod worker;
mod zygote;

pub use again::take_disturbances;
pub use counters::ExtraCounters;
pub use interrupt::{Interrupts, interrupts};
pub(crate) use kept::{kept_bytes, read_kept, write_kept};
pub use landlock::landlock_version;
pub(crate) use shared::KEPT_BYTES;
pub(crate) use supervised::{FuzzerEnd, Notes, supervise};
pub use survey::{Surveyed, TraceSurvey};
pub(crate) use window::reserve as reserve_windows;
pub use zygote::{is_zygote, serve_if_asked};

use crate::accepted::{Accepted, MOST_ACCEPTED};
use crate::engines::Engine;
use crate::feedback::Kept;
use crate::finding::{Cause, Ending, Failure, Step};
use crate::lockstep::{Audits, COUNTS};
use job::{JobKind, JobRecord, Report};
use memtwin_models::StateMap;
use memtwin_models::wire::MAX_WIRE_BYTES;
use process::{Launch, ZygoteProcess};
use shared::{MAX_FRAMES, OUTPUT_BYTES, SharedMemory};
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The most memory that a worker may allocate, in bytes.
const HEAP_LIMIT_BYTES: u64 = 1 << 30;
/// A trace that takes more processor time than this is not judged.
const TRACE_LIMIT: Duration = Duration::from_secs(5);

/// More traces or ops than any epoch has.
const MOST_COUNTED: u64 = 1 << 40;

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
    /// What the traces up to this one left behind was enough for one process; the batch may go on with the next, in
    /// another.
    Spent {
        /// The trace's number.
        trace: u64,
    },
    /// A trace was not judged; the batch may go on with the next.
    NotJudged {
        /// The trace's number.
        trace: u64,
        /// Its wire bytes.
        wire: Vec<u8>,
        /// Why.
        why: String,
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
    /// Traces that ended well and after which the subject was not reset, so that the next one builds it anew.
    pub rebuilt: u64,
    /// How often each of the accepted signatures was met, in their order.
    pub accepted_steps: [u64; MOST_ACCEPTED],
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
    #[error("the zygote is gone: {source}; run `{} doctor`", crate::program::called())]
    Gone { source: io::Error },
    #[error("the zygote cannot fork a worker: the system is out of processes or memory")]
    NoWorker,
    #[error("a worker cannot be sandboxed: this system refuses seccomp filters; allow them, or run elsewhere")]
    NoSandbox,
    #[error("not judged: {why}")]
    NotJudged { why: String },
}

/// How many zygotes this process has started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// One worker at a time, and the zygote it comes from.
#[derive(Debug)]
pub struct Isolation {
    /// Different from those of others in this process, and mostly from those of other processes.
    worker: u32,
    launch: Launch,
    zygote: ZygoteProcess,
    shared: SharedMemory,
    accepted: Accepted,
    interrupted: Arc<AtomicBool>,
}

impl Isolation {
    /// Starts a zygote from this program, whose `main` calls [`serve_if_asked`] first. When `interrupted` becomes true,
    /// running jobs end early. The zygote has the command line of this process, so that a `main` which makes rows of
    /// its command line makes the same ones there.
    pub fn start(interrupted: Arc<AtomicBool>) -> Result<Self, IsolationError> {
        // The program itself, not its path: it may have been replaced since.
        let arguments = std::env::args_os().skip(1).collect();
        Self::launch(Launch { program: "/proc/self/exe".into(), arguments }, interrupted)
    }

    /// As [`Isolation::start`], from another program that serves as a zygote, without arguments.
    pub fn start_from(program: PathBuf, interrupted: Arc<AtomicBool>) -> Result<Self, IsolationError> {
        Self::launch(Launch { program, arguments: Vec::<OsString>::new() }, interrupted)
    }

    fn launch(launch: Launch, interrupted: Arc<AtomicBool>) -> Result<Self, IsolationError> {
        let failed = |source| IsolationError::Start { program: launch.program.clone(), source };
        let shared = SharedMemory::create().map_err(failed)?;
        let zygote = ZygoteProcess::start(&launch, shared.descriptor())?;
        let worker = std::process::id().wrapping_add(STARTED.fetch_add(1, Ordering::Relaxed));
        Ok(Isolation { worker, launch, zygote, shared, accepted: Accepted::default(), interrupted })
    }

    /// Sets every count to zero: a new epoch begins.
    pub fn clear_counts(&mut self) {
        let shared = self.shared.get_mut();
        for count in [&shared.ops, &shared.traces, &shared.moot, &shared.unsupported, &shared.rebuilt] {
            count.store(0, Ordering::Relaxed);
        }
        shared.accepted_steps.fill(0);
        shared.counts.fill(0);
        shared.features.fill(0);
    }

    /// The broken laws that jobs go on behind from now on.
    pub fn accept(&mut self, accepted: &Accepted) {
        self.accepted = accepted.clone();
    }

    /// Whether jobs go on behind no broken law.
    #[must_use]
    pub fn accepts_nothing(&self) -> bool {
        self.accepted.is_empty()
    }

    /// The accepted signatures that the trace met which was replayed last.
    #[must_use]
    pub fn met(&self) -> Vec<String> {
        let met = self.shared.get().met.load(Ordering::Relaxed);
        let signatures = (0..).zip(self.accepted.signatures());
        signatures.filter(|(index, _)| met >> index & 1 != 0).map(|(_, signature)| signature.clone()).collect()
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
        // A subject may have written over them: sums of what it made up must be numbers still.
        let counted = |count: &AtomicU64| count.load(Ordering::Relaxed).min(MOST_COUNTED);
        Counts {
            traces: counted(&shared.traces),
            ops: counted(&shared.ops),
            moot: counted(&shared.moot),
            unsupported: counted(&shared.unsupported),
            rebuilt: counted(&shared.rebuilt),
            accepted_steps: shared.accepted_steps.map(|count| count.min(MOST_COUNTED)),
            outcomes: shared.counts.map(|count| count.min(MOST_COUNTED)),
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
        self.run_traces(batch.first_trace..batch.first_trace.saturating_add(MOST_COUNTED))
    }

    /// Runs small traces, in the order of their numbers, until they are done or one fails.
    pub fn exhaust(&mut self, target: usize, depth: u32, traces: Range<u64>) -> Result<BatchEnd, IsolationError> {
        let job = job(JobKind::Exhaust, target, Audits::Full);
        self.shared.get_mut().job = JobRecord { first_trace: traces.start, end_trace: traces.end, depth, ..job };
        self.run_traces(traces)
    }

    fn run_traces(&mut self, traces: Range<u64>) -> Result<BatchEnd, IsolationError> {
        let shared = self.shared.get_mut();
        shared.trace.store(traces.start, Ordering::Relaxed);
        shared.set_wire(&[]);
        let ended = self.run_worker();
        let shared = self.shared.get();
        // A subject may have written over it: the batch goes on where it can.
        let trace =
            shared.trace.load(Ordering::Relaxed).clamp(traces.start, traces.end.saturating_sub(1).max(traces.start));
        let ending = match ended {
            Ok(Some(ending)) => ending,
            Ok(None) => return Ok(BatchEnd::Interrupted),
            Err(IsolationError::NotJudged { why }) => {
                return Ok(BatchEnd::NotJudged { trace, wire: self.journalled_wire(), why });
            }
            Err(error) => return Err(error),
        };
        match ending {
            Ending::Failed(failure) => {
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
            Ending::Agreed if Report::of(shared.report.load(Ordering::Acquire)) == Report::Spent => {
                Ok(BatchEnd::Spent { trace })
            }
            Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_) => Ok(BatchEnd::Done),
        }
    }

    /// Runs one trace; `None` when interrupted.
    pub fn replay(&mut self, target: usize, wire: &[u8], audits: Audits) -> Result<Option<Ending>, IsolationError> {
        self.load(JobKind::Replay, target, wire, audits);
        self.run_worker()
    }

    /// How many ops the subject skipped in the trace that was replayed last.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.shared.get().skipped.load(Ordering::Relaxed).min(MOST_COUNTED)
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
        let library = self.shared.get().fault.library.get();
        self.shared.get_mut().job = job(JobKind::Symbolise, 0, Audits::Full);
        self.clear_report();
        let record = &mut self.shared.get_mut().fault;
        let count = frames.len().min(MAX_FRAMES);
        record.instruction = instruction;
        record.library.set(&library);
        record.frames[..count].copy_from_slice(&frames[..count]);
        #[allow(clippy::cast_possible_truncation)] // at most MAX_FRAMES
        record.frame_count.store(count as u32, Ordering::Release);
        match self.zygote.run_worker(&self.interrupted) {
            Ok((reason, _)) => self.has_run(reason)?,
            // The frames stay numbers; the next job says what is wrong with the zygote.
            Err(_) => return Ok(Vec::new()),
        }
        Ok(String::from_utf8_lossy(&self.output()).lines().map(str::to_owned).collect())
    }

    fn load(&mut self, kind: JobKind, target: usize, wire: &[u8], audits: Audits) {
        assert!(wire.len() <= MAX_WIRE_BYTES, "a trace of {} wire bytes was let through", wire.len());
        let shared = self.shared.get_mut();
        shared.job = job(kind, target, audits);
        shared.set_wire(wire);
    }

    fn output(&self) -> Vec<u8> {
        let shared = self.shared.get();
        let length = shared.output_length.load(Ordering::Acquire) as usize;
        shared.output[..length.min(OUTPUT_BYTES)].to_vec()
    }

    fn journalled_wire(&self) -> Vec<u8> {
        self.shared.get().wire().to_vec()
    }

    fn clear_report(&mut self) {
        let shared = self.shared.get_mut();
        shared.report.store(Report::None as u32, Ordering::Relaxed);
        shared.fault.signal.store(0, Ordering::Relaxed);
        shared.fault.frame_count.store(0, Ordering::Relaxed);
        shared.fault.instruction = 0;
        shared.fault.is_stack_overflow = 0;
        shared.fault.is_from_elsewhere = 0;
        shared.fault.library.set("");
        shared.output_length.store(0, Ordering::Relaxed);
        shared.skipped.store(0, Ordering::Relaxed);
        shared.met.store(0, Ordering::Relaxed);
        shared.is_large.store(0, Ordering::Relaxed);
        shared.accepted.set(self.accepted.text());
        shared.message.set("");
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
        trace_limit_milliseconds: match kind {
            // Of one trace, again and again, against the clock; of none.
            JobKind::Speed | JobKind::Symbolise => u64::MAX,
            JobKind::Campaign | JobKind::Replay | JobKind::Narrate | JobKind::Exhaust | JobKind::Survey => {
                u64::try_from(TRACE_LIMIT.as_millis()).unwrap_or(u64::MAX)
            }
        },
        engine: Engine::Random as u32,
        worker: 0,
    }
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
    memtwin_wild::HAS_ADDRESS_SANITIZER
}
