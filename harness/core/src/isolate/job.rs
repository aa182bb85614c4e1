//! Jobs, and how they end, as the numbers that go between processes. A number is decoded once, where it arrives; one
//! that stands for nothing is never taken for something.

use crate::engines::Engine;
use crate::lockstep::Audits;
use std::io;

/// What the worker is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum JobKind {
    Campaign = 0,
    Replay = 1,
    Narrate = 2,
    Symbolise = 3,
    /// Small traces, all of them.
    Exhaust = 4,
    /// The traces in the room for kept ones; the output says what each reached.
    Survey = 5,
    /// Rounds of one target against the clock; the output has the figures.
    Speed = 6,
}

impl JobKind {
    const ALL: [JobKind; 7] = [
        JobKind::Campaign,
        JobKind::Replay,
        JobKind::Narrate,
        JobKind::Symbolise,
        JobKind::Exhaust,
        JobKind::Survey,
        JobKind::Speed,
    ];

    /// The kind that a number stands for.
    pub(super) fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u32 == number)
    }
}

/// The job, in plain numbers.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct JobRecord {
    pub kind: u32,
    pub target: u32,
    pub audits: u32,
    pub stream: u64,
    /// The first trace's number; of a narration, the first op's that is told.
    pub first_trace: u64,
    /// The worker ends after the trace that reaches this many ops, counted from the start of the epoch.
    pub ops_budget: u64,
    /// The worker ends before this trace.
    pub end_trace: u64,
    /// The most ops of a small trace.
    pub depth: u32,
    /// The worker ends after the group of traces during which this time passes (CLOCK_MONOTONIC, in nanoseconds).
    pub deadline_nanoseconds: u64,
    pub heap_limit_bytes: u64,
    /// A worker ends when one trace takes this much processor time.
    pub trace_limit_milliseconds: u64,
    /// The engine, as [`Engine`] numbers it.
    pub engine: u32,
    /// Which of the supervisor's workers it is: those that work at a time have different numbers.
    pub worker: u32,
}

impl JobRecord {
    /// What is asked, in words of the program; `None` where a number stands for nothing.
    pub(super) fn decode(&self) -> Option<(JobKind, Audits, Engine)> {
        let audits = [Audits::Sample, Audits::Full, Audits::EveryStep];
        let audits = audits.into_iter().find(|audits| *audits as u32 == self.audits)?;
        let engine = [Engine::Guided, Engine::Random].into_iter().find(|engine| *engine as u32 == self.engine)?;
        Some((JobKind::of(self.kind)?, audits, engine))
    }
}

/// How the worker says that it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Report {
    /// It has not: it died on the way.
    None = 0,
    /// The budget is used up, or the one trace agreed.
    Done = 1,
    /// A law was broken at the journal's place.
    Diverged = 2,
    /// The one trace is moot.
    Moot = 3,
    /// The subject cannot serve the one trace's setup.
    Unsupported = 4,
    /// The subject panicked at the journal's place.
    Panicked = 5,
    /// The sandbox could not be set up; nothing ran.
    NoSandbox = 6,
    /// The budget is not used up, but earlier traces have left more behind than this process should carry on with.
    Spent = 7,
}

impl Report {
    const ALL: [Report; 8] = [
        Report::None,
        Report::Done,
        Report::Diverged,
        Report::Moot,
        Report::Unsupported,
        Report::Panicked,
        Report::NoSandbox,
        Report::Spent,
    ];

    /// The report that a number stands for. A subject may write over it: what stands for nothing is no report.
    pub(super) fn of(number: u32) -> Self {
        Self::ALL.into_iter().find(|known| *known as u32 == number).unwrap_or(Report::None)
    }
}

/// Why the zygote ended a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reason {
    /// It did not.
    None = 0,
    /// The journal stood still.
    Hang = 1,
    /// The resident size passed the limit.
    Memory = 2,
    /// The supervisor said so.
    Cancelled = 3,
    /// No worker could be started.
    NoWorker = 4,
    /// One trace took too much processor time.
    TooLong = 5,
}

impl Reason {
    const ALL: [Reason; 6] =
        [Reason::None, Reason::Hang, Reason::Memory, Reason::Cancelled, Reason::NoWorker, Reason::TooLong];

    /// The reason that a number from the zygote stands for.
    pub(super) fn of(number: u8) -> io::Result<Self> {
        Self::ALL
            .into_iter()
            .find(|known| *known as u8 == number)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("it gave {number} as a reason")))
    }
}
