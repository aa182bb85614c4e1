//! What something else did to a worker or to its zygote, such as the kernel where memory is short: the machine's fault
//! is no finding. The job is run again from where it began, so its end is as if nothing had happened. A trace whose
//! worker is killed again and again is not judged.

use super::job::{JobRecord, Reason, Report};
use super::process::ZygoteProcess;
use super::shared::Shared;
use super::{Counts, Isolation, IsolationError, fault, has_address_sanitizer};
use crate::finding::Ending;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// How often a job is run again because the worker of one trace was killed.
const RERUNS_OF_A_TRACE: usize = 2;
/// How often a job is run again in all.
const RERUNS: usize = 16;
/// How many notes are kept for the user.
const MOST_NOTES: usize = 100;

static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What happened to workers and zygotes of this process since the last call, a sentence each. The results are as if it
/// had not happened.
#[must_use]
pub fn take_disturbances() -> Vec<String> {
    std::mem::take(&mut *NOTES.lock().unwrap_or_else(PoisonError::into_inner))
}

fn note(text: String) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    if notes.len() < MOST_NOTES {
        notes.push(text);
    }
}

fn note_once(text: String) {
    let is_known = NOTES.lock().unwrap_or_else(PoisonError::into_inner).contains(&text);
    if !is_known {
        note(text);
    }
}

/// What a job began with.
struct Checkpoint {
    job: JobRecord,
    counts: Counts,
    kept_length: u32,
    wire: Vec<u8>,
}

impl Checkpoint {
    fn of(isolation: &Isolation) -> Self {
        let shared = isolation.shared.get();
        Checkpoint {
            job: shared.job,
            counts: isolation.counts(),
            kept_length: shared.kept_length.load(Ordering::Relaxed),
            wire: isolation.journalled_wire(),
        }
    }

    fn restore(&self, shared: &mut Shared) {
        shared.job = self.job;
        let Counts { traces, ops, moot, unsupported, rebuilt, accepted_steps, outcomes, features } = &self.counts;
        shared.traces.store(*traces, Ordering::Relaxed);
        shared.ops.store(*ops, Ordering::Relaxed);
        shared.moot.store(*moot, Ordering::Relaxed);
        shared.unsupported.store(*unsupported, Ordering::Relaxed);
        shared.rebuilt.store(*rebuilt, Ordering::Relaxed);
        shared.accepted_steps = *accepted_steps;
        shared.counts = *outcomes;
        shared.features = **features;
        shared.kept_length.store(self.kept_length, Ordering::Relaxed);
        shared.set_wire(&self.wire);
    }
}

impl Isolation {
    /// Runs the job in the shared memory; `None` when interrupted.
    pub(super) fn run_worker(&mut self) -> Result<Option<Ending>, IsolationError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.shared.get_mut().job.worker = self.worker;
        let checkpoint = Checkpoint::of(self);
        let mut killed_traces: Vec<Option<u64>> = Vec::new();
        loop {
            self.clear_report();
            let (reason, status) = match self.zygote.run_worker(&self.interrupted) {
                Ok(ended) => ended,
                Err(source) => {
                    // A zygote that is gone has no trace.
                    if RERUNS_OF_A_TRACE <= killed_traces.iter().filter(|trace| trace.is_none()).count() {
                        return Err(IsolationError::Gone { source });
                    }
                    self.start_again(source)?;
                    killed_traces.push(None);
                    checkpoint.restore(self.shared.get_mut());
                    continue;
                }
            };
            if reason == Reason::Cancelled {
                return Ok(None);
            }
            self.has_run(reason)?;
            self.note_refused_call();
            let Some(signal) = self.killed_by_something_else(reason, status) else {
                return Ok(Some(self.ending(reason, status, &self.zygote.heard())));
            };
            let trace = Some(self.shared.get().trace.load(Ordering::Relaxed));
            let reruns = killed_traces.iter().filter(|known| **known == trace).count();
            if RERUNS_OF_A_TRACE <= reruns || RERUNS <= killed_traces.len() {
                let why = format!(
                    "something outside of memtwin killed its worker {} times (signal {signal}); is memory short?",
                    killed_traces.len() + 1
                );
                return Err(IsolationError::NotJudged { why });
            }
            note(format!("something outside of memtwin killed a worker (signal {signal}); its job was run again"));
            killed_traces.push(trace);
            checkpoint.restore(self.shared.get_mut());
        }
    }

    /// A library asked for something that the sandbox refuses, and was told so: no finding, and worth a line.
    fn note_refused_call(&self) {
        let call = self.shared.get().refused_call.swap(0, Ordering::Relaxed);
        if let Some(call) = call.checked_sub(1) {
            note_once(format!("a library made system call {call}, which the sandbox answers with EPERM"));
        }
    }

    /// Errors for a worker that ran nothing or not to its end.
    pub(super) fn has_run(&self, reason: Reason) -> Result<(), IsolationError> {
        match reason {
            Reason::NoWorker => Err(IsolationError::NoWorker),
            Reason::TooLong => {
                let why = format!("it took more than {} s of processor time", super::TRACE_LIMIT.as_secs());
                Err(IsolationError::NotJudged { why })
            }
            _ if Report::of(self.shared.get().report.load(Ordering::Acquire)) == Report::NoSandbox => {
                Err(IsolationError::NoSandbox)
            }
            Reason::None | Reason::Hang | Reason::Memory | Reason::Cancelled => Ok(()),
        }
    }

    /// Another zygote takes the place of one that is gone.
    fn start_again(&mut self, source: io::Error) -> Result<(), IsolationError> {
        if !self.zygote.end() {
            return Err(IsolationError::Gone { source });
        }
        self.zygote = ZygoteProcess::start(&self.launch, self.shared.descriptor())?;
        note(format!("something outside of memtwin ended a zygote ({source}); its job was run again"));
        Ok(())
    }

    /// The signal, if neither the subject nor the zygote can have sent it: the sandbox lets a worker send itself no
    /// other signals than those that the fault handler takes, and the handler notes who sent one.
    fn killed_by_something_else(&self, reason: Reason, status: i32) -> Option<i32> {
        if reason != Reason::None || has_address_sanitizer() {
            return None;
        }
        let record = &self.shared.get().fault;
        if record.is_from_elsewhere != 0 {
            return Some(record.signal.load(Ordering::Acquire).cast_signed());
        }
        let signal = -status;
        (0 < signal && fault::HANDLED.iter().all(|handled| *handled as i32 != signal)).then_some(signal)
    }
}
