//! Failures that do not repeat alone, repeated with the traces that their worker ran before them, joined into one
//! trace: what has no reset may fail for what it remembers. Does not shrink or file anything.

use super::epoch::{Confirmed, EpochRunner};
use crate::isolate::{Batch, IsolationError};
use crate::target::Target;
use memtwin_models::wire::MAX_WIRE_BYTES;

/// What a failure is once it was looked at twice, or more often.
pub(super) struct Judged {
    pub(super) confirmed: Confirmed,
    /// The trace that shows it.
    pub(super) wire: Vec<u8>,
    /// How many earlier traces are part of it.
    pub(super) earlier: u32,
    /// Whether it was looked for among earlier traces, which takes up to seconds.
    pub(super) was_searched: bool,
}

impl EpochRunner<'_> {
    /// Looks whether a failure that does not repeat alone does with the last one, two, four, … of the traces before it.
    /// As for every second run, what fails there is the truth, and its trace is the finding's.
    pub(super) fn repeat_with_earlier(
        &mut self,
        target: &dyn Target,
        batch: &Batch,
        trace: u64,
        wire: Vec<u8>,
    ) -> Result<Judged, IsolationError> {
        let unrepeated =
            |wire, was_searched| Judged { confirmed: Confirmed::Unrepeated, wire, earlier: 0, was_searched };
        if !target.outlives_traces() {
            return Ok(unrepeated(wire, false));
        }
        let earlier = self.isolation.traces_before(target, batch, trace, &wire);
        let mut search = Search::new(&earlier, &wire);
        while let Some((count, joined)) = search.next(target) {
            for joined in joined {
                match self.confirm(batch.target, target, &joined, None)? {
                    Confirmed::Unrepeated => {}
                    // More traces take longer.
                    Confirmed::NotJudged(_) => return Ok(unrepeated(wire, true)),
                    confirmed @ Confirmed::Finding(..) => {
                        let earlier = u32::try_from(count).unwrap_or(u32::MAX);
                        return Ok(Judged { confirmed, wire: joined, earlier, was_searched: true });
                    }
                }
            }
        }
        Ok(unrepeated(wire, true))
    }
}

/// The joined traces to try, from few earlier ones to as many as there is room for.
struct Search<'a> {
    earlier: &'a [Vec<u8>],
    wire: &'a [u8],
    tried: usize,
}

impl<'a> Search<'a> {
    fn new(earlier: &'a [Vec<u8>], wire: &'a [u8]) -> Self {
        Search { earlier, wire, tried: 0 }
    }

    /// How many earlier traces come next, and each way to join them.
    fn next(&mut self, target: &dyn Target) -> Option<(usize, Vec<Vec<u8>>)> {
        loop {
            let count = (2 * self.tried).clamp(1, self.earlier.len().max(1));
            if self.earlier.len() < count || count == self.tried {
                return None;
            }
            let last = &self.earlier[self.earlier.len() - count..];
            let wires: Vec<&[u8]> = last.iter().map(Vec::as_slice).chain([self.wire]).collect();
            let joined = target.join(&wires);
            if joined.iter().all(|joined| joined.len() <= MAX_WIRE_BYTES) {
                self.tried = count;
                return Some((count, joined));
            }
            // An eighth fewer at most, until they fit.
            self.earlier = &last[last.len().div_ceil(8)..];
            if self.earlier.len() <= self.tried {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Trace;
    use memtwin_models::heap::{Heap, HeapContract, Op, Setup, Size, Slot};
    use memtwin_models::{Health, Row, Unsupported};

    static LIBRARY: Row<Heap> = Row {
        name: "library",
        health: Health::Sound,
        contract: HeapContract::LIBRARY,
        build: &|_| Err(Unsupported("it is not built")),
        origin: None,
    };

    fn trace(ops: usize) -> Vec<u8> {
        let ask = Op::Malloc { slot: Slot::new_folded(7), size: Size(1000) };
        Trace::<Heap>::new(Setup::flat(4096), vec![ask; ops]).to_wire()
    }

    fn counts(earlier: &[Vec<u8>]) -> Vec<usize> {
        let last = trace(1);
        let mut search = Search::new(earlier, &last);
        let counts = std::iter::from_fn(|| search.next(&LIBRARY)).map(|(count, joined)| {
            assert!(joined.iter().all(|joined| joined.len() <= MAX_WIRE_BYTES));
            count
        });
        counts.collect()
    }

    #[test]
    fn more_and_more_traces_are_joined_up_to_all() {
        assert_eq!(counts(&[]), Vec::<usize>::new());
        assert_eq!(counts(&vec![trace(3); 1]), [1]);
        assert_eq!(counts(&vec![trace(3); 11]), [1, 2, 4, 8, 11]);
    }

    #[test]
    fn what_a_trace_has_no_room_for_is_left_out() {
        let long = trace(20_000);
        let fit = MAX_WIRE_BYTES / long.len();
        assert!(4 < fit && fit < 40, "{fit}");
        let counts = counts(&vec![long; 3 * fit]);
        let most = counts[counts.len() - 1];
        assert!(fit * 3 / 4 <= most && most <= fit, "{counts:?} of {fit}");
    }
}
