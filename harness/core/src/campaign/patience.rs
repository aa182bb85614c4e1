//! How long a finding may be shrunk: so many runs, and none after some moment. Does not judge whether it was worth it.

use crate::finding::FaultClass;
use crate::isolate::monotonic_nanoseconds;

/// How many runs a finding may be shrunk with.
const RUNS: usize = 3000;
/// The same where each run that fails costs a second of processor time.
const RUNS_OF_A_HANG: usize = 40;

/// What is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    runs: usize,
    /// A moment of `now`.
    until_nanoseconds: u64,
    now: fn() -> u64,
}

impl Patience {
    /// With a finding of this class of faults; of none where a law was broken.
    pub(crate) fn with(class: Option<FaultClass>) -> Self {
        let runs = if class == Some(FaultClass::Hang) { RUNS_OF_A_HANG } else { RUNS };
        Patience { runs, until_nanoseconds: u64::MAX, now: monotonic_nanoseconds }
    }

    /// And no longer than until this moment of [`monotonic_nanoseconds`].
    pub(crate) fn until(self, until_nanoseconds: u64) -> Self {
        Patience { until_nanoseconds, ..self }
    }

    /// Takes one run, if one is left.
    pub(crate) fn take_run(&mut self) -> bool {
        let is_left = 0 < self.runs && (self.now)() < self.until_nanoseconds;
        self.runs -= usize::from(is_left);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    #[test]
    fn runs_end_with_their_number_or_with_the_time() {
        let patience = |class| Patience { now: || NOW.get(), ..Patience::with(class) }.until(100);
        // Each run that hangs takes 30.
        let mut hanging = patience(Some(FaultClass::Hang));
        let runs = (0..1000).filter(|_| hanging.take_run()).inspect(|_| NOW.set(NOW.get() + 30)).count();
        assert_eq!(runs, 4);
        NOW.set(0);
        let mut quick = patience(None);
        assert_eq!((0..10_000).filter(|_| quick.take_run()).count(), RUNS);
        let mut hanging = patience(Some(FaultClass::Hang));
        assert_eq!((0..10_000).filter(|_| hanging.take_run()).count(), RUNS_OF_A_HANG);
    }
}
