//! Speed inside a worker: the rounds are measured where subjects run, and only their figures leave it.

use super::job::{JobKind, Report};
use super::shared::Shared;
use super::{Isolation, IsolationError, job};
use crate::lockstep::{Audits, Round};
use crate::target::Target;
use std::sync::atomic::Ordering;

impl Isolation {
    /// Measures a target in one worker; no rounds if it dies of it. `None` when interrupted.
    #[cfg_attr(not(feature = "bench"), allow(dead_code))] // for `bench` alone
    pub(crate) fn speed(&mut self, target: usize) -> Result<Option<Vec<Round>>, IsolationError> {
        self.shared.get_mut().job = job(JobKind::Speed, target, Audits::Sample);
        if self.run_worker()?.is_none() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&self.output()).unwrap_or_default()))
    }
}

/// The worker's part.
pub(super) fn run(shared: &mut Shared, target: &'static dyn Target) {
    let rounds = target.speed(&shared.step);
    if let Ok(text) = serde_json::to_vec(&rounds)
        && let Some(room) = shared.output.get_mut(..text.len())
    {
        room.copy_from_slice(&text);
        #[allow(clippy::cast_possible_truncation)] // it fits into the output
        shared.output_length.store(text.len() as u32, Ordering::Release);
    }
    shared.report.store(Report::Done as u32, Ordering::Release);
}
