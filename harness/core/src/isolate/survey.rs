//! Surveys: what each of many traces reaches, with one fork for as many as go into shared memory together. The traces
//! lie in the room for kept ones; what each reached is written to the output, whole before the length says so, so that
//! a trace that takes the worker with it loses nothing of those before it. It judges no trace.

use super::job::{JobKind, JobRecord, Report};
use super::shared::{KEPT_BYTES, OUTPUT_BYTES, Shared};
use super::{Isolation, IsolationError, job, kept, worker};
use crate::feedback::{Kept, Reached, take_reached};
use crate::finding::{Ending, Failure};
use crate::lockstep::{Audits, COUNTS, Ended, Journal};
use crate::target::Target;
use crate::vacuity;
use memtwin_models::StateMap;
use memtwin_models::wire::MAX_WIRE_BYTES;
use std::sync::atomic::Ordering;

// A trace of the greatest length goes into the empty room.
const _: () = assert!(MAX_WIRE_BYTES + 8 <= KEPT_BYTES);

/// What a trace did on one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceSurvey {
    /// It was judged, most of it at least; this is what it reached.
    Reached(Vec<Reached>),
    /// Its setup is not served, or most of its ops are moot or skipped; this is what it reached all the same.
    Unjudged(Vec<Reached>),
    /// It failed.
    Failed(Failure),
    /// It was not judged; this is why.
    NotJudged(String),
}

/// What a survey saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surveyed {
    /// Every trace, in order.
    All(Vec<TraceSurvey>),
    /// The supervisor was interrupted.
    Interrupted,
}

impl Isolation {
    /// Runs many traces, each on a subject as good as new, and says what each reached. One worker runs as many as fit
    /// into shared memory; after a trace that fails another worker goes on.
    pub fn survey(&mut self, target: usize, wires: &[&[u8]]) -> Result<Surveyed, IsolationError> {
        let mut seen = Vec::with_capacity(wires.len());
        while let Some(rest) = wires.get(seen.len()..).filter(|rest| !rest.is_empty()) {
            let count = self.lay_out(rest);
            self.shared.get_mut().job = JobRecord { end_trace: count, ..job(JobKind::Survey, target, Audits::Full) };
            let ended = self.run_worker();
            let before = seen.len();
            read_all(&self.output(), &mut seen);
            // A subject that wrote over the output must not make up traces.
            #[allow(clippy::cast_possible_truncation)] // a count of slices in memory
            seen.truncate(before + count as usize);
            match ended {
                Err(IsolationError::NotJudged { why }) => seen.push(TraceSurvey::NotJudged(why)),
                Err(error) => return Err(error),
                Ok(None) => return Ok(Surveyed::Interrupted),
                Ok(Some(Ending::Failed(failure))) => seen.push(TraceSurvey::Failed(failure)),
                // The output had no room for more, or a subject wrote over it: then the first trace says nothing.
                Ok(Some(_)) if seen.len() == before => seen.push(TraceSurvey::Unjudged(Vec::new())),
                Ok(Some(Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_))) => {}
            }
            seen.truncate(wires.len());
        }
        Ok(Surveyed::All(seen))
    }

    /// Puts as many traces into shared memory as there is room for.
    fn lay_out(&mut self, wires: &[&[u8]]) -> u64 {
        let shared = self.shared.get_mut();
        kept::clear(shared);
        let mut put = |wire: &&&[u8]| kept::add(shared, &Kept { wire: wire.to_vec(), reached: Vec::new() });
        wires.iter().take_while(|wire| put(wire)).count() as u64
    }
}

/// The worker's part.
pub(super) fn run(shared: &mut Shared, target: &'static dyn Target) {
    let mut runner = worker::runner(shared, target);
    let mut map = Box::new([0; StateMap::SIZE]);
    let mut counts = Box::new([0; COUNTS]);
    let mut new = Vec::new();
    let dialect = target.dialect();
    for (index, kept) in (0..shared.job.end_trace).zip(kept::from(shared, 0)) {
        worker::put_on_record(shared, index, &kept.wire);
        counts.fill(0);
        let mut journal = Journal { step: &shared.step, counts: &mut counts, features: Some(&mut map), ops: 0 };
        let ended = runner.run(&kept.wire, Audits::Full, &mut journal);
        if let Ended::Diverged { .. } = ended {
            return worker::report(shared, &ended);
        }
        new.clear();
        new.extend(take_reached(&mut map));
        let skipped = vacuity::skipped(dialect.outcome_classes(), &counts);
        let is_judged = vacuity::of_one(&ended.into(), dialect.op_count(&kept.wire) as u64, skipped).is_none();
        if !write_one(shared, &new, is_judged) {
            break;
        }
    }
    // A subject that dies when it is dropped dies of no trace of these; replaying one at a time shows which.
    shared.report.store(Report::Done as u32, Ordering::Release);
}

/// Writes what a trace reached, and whether it was judged; says whether there was room.
#[allow(clippy::cast_possible_truncation)] // lengths are below OUTPUT_BYTES
fn write_one(shared: &mut Shared, reached: &[Reached], is_judged: bool) -> bool {
    let start = shared.output_length.load(Ordering::Acquire) as usize;
    let end = start + 4 + 2 * reached.len();
    if OUTPUT_BYTES < end {
        return false;
    }
    let (length, rest) = shared.output[start..end].split_at_mut(4);
    length.copy_from_slice(&((reached.len() as u32) << 1 | u32::from(is_judged)).to_le_bytes());
    for (room, feature) in rest.chunks_exact_mut(2).zip(reached) {
        room.copy_from_slice(&feature.to_le_bytes());
    }
    shared.output_length.store(end as u32, Ordering::Release);
    true
}

/// Reads what [`write_one`] wrote.
fn read_all(mut output: &[u8], seen: &mut Vec<TraceSurvey>) {
    let next = || {
        let number = u32::from_le_bytes(*output.split_off(..4)?.as_array()?);
        let reached = output.split_off(..((number >> 1) as usize).checked_mul(2)?)?;
        let reached = reached.chunks_exact(2).filter_map(|pair| Some(u16::from_le_bytes(*pair.as_array()?))).collect();
        Some(if number & 1 == 0 { TraceSurvey::Unjudged(reached) } else { TraceSurvey::Reached(reached) })
    };
    seen.extend(std::iter::from_fn(next));
}
