//! What epochs counted, and their sum. It judges nothing.

use super::result::{EpochResult, Found};
use crate::accepted::MOST_ACCEPTED;
use crate::feedback::Kept;
use crate::isolate::Counts;
use crate::lockstep::COUNTS;
use crate::run_file::{GrowthPoint, MOST_GROWTH_POINTS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an epoch counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    traces: u64,
    ops: u64,
    moot: u64,
    unsupported: u64,
    #[serde(default)]
    rebuilt: u64,
    unconfirmed: u64,
    seconds: f64,
    /// Counts that are not zero, each with its index.
    outcomes: Vec<(u16, u64)>,
    /// Features that were noted.
    features: Vec<u16>,
    /// How often each accepted signature was met, in their order; nothing where none was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accepted_steps: Vec<u64>,
}

impl Tally {
    #[allow(clippy::cast_possible_truncation)] // both maps are small
    pub(super) fn of(counts: &Counts, unconfirmed: u64, seconds: f64) -> Self {
        let outcomes = counts.outcomes.iter().enumerate().filter(|(_, count)| **count != 0);
        let features = counts.features.iter().enumerate().filter(|(_, count)| **count != 0);
        Tally {
            traces: counts.traces,
            ops: counts.ops,
            moot: counts.moot,
            unsupported: counts.unsupported,
            rebuilt: counts.rebuilt,
            unconfirmed,
            seconds,
            outcomes: outcomes.map(|(index, count)| (index as u16, *count)).collect(),
            features: features.map(|(feature, _)| feature as u16).collect(),
            accepted_steps: if counts.accepted_steps == [0; MOST_ACCEPTED] {
                Vec::new()
            } else {
                counts.accepted_steps.to_vec()
            },
        }
    }

    /// The features that these traces reach, and nothing else.
    pub(super) fn reaching(kept: &[Kept]) -> Self {
        let features: BTreeSet<u16> = kept.iter().flat_map(|kept| &kept.reached).map(|reached| reached >> 3).collect();
        Tally { features: features.into_iter().collect(), ..Tally::default() }
    }

    pub(super) fn ops(&self) -> u64 {
        self.ops
    }
}

/// The sum of a target's epochs, in their order.
#[derive(Debug)]
pub(super) struct Sum {
    prefers_short: bool,
    pub(super) traces: u64,
    pub(super) ops: u64,
    pub(super) moot: u64,
    pub(super) unsupported: u64,
    pub(super) rebuilt: u64,
    pub(super) unconfirmed: u64,
    pub(super) seconds: f64,
    pub(super) outcomes: [u64; COUNTS],
    pub(super) features: BTreeSet<u16>,
    /// How often each accepted signature was met, in their order.
    pub(super) accepted_steps: [u64; MOST_ACCEPTED],
    pub(super) not_judged: u64,
    pub(super) found: Vec<Found>,
    /// What was known after each epoch; of a long campaign after every second, fourth, … of them.
    pub(super) growth: Vec<GrowthPoint>,
}

impl Sum {
    /// Of findings with one signature the shorter trace is kept, if that is asked for, and the first otherwise.
    pub(super) fn new(prefers_short: bool) -> Self {
        Sum {
            prefers_short,
            traces: 0,
            ops: 0,
            moot: 0,
            unsupported: 0,
            rebuilt: 0,
            unconfirmed: 0,
            not_judged: 0,
            seconds: 0.0,
            outcomes: [0; COUNTS],
            features: BTreeSet::new(),
            accepted_steps: [0; MOST_ACCEPTED],
            found: Vec::new(),
            growth: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, result: EpochResult) {
        for found in result.found {
            self.find(Found {
                executions: self.traces.saturating_add(found.executions),
                ops: self.ops.saturating_add(found.ops),
                seconds: self.seconds + found.seconds,
                ..found
            });
        }
        let Tally { traces, ops, moot, unsupported, rebuilt, unconfirmed, seconds, outcomes, features, accepted_steps } =
            result.tally;
        // What a worker counted is not trusted: a subject may have written over it.
        let counts = [
            (&mut self.traces, traces),
            (&mut self.ops, ops),
            (&mut self.moot, moot),
            (&mut self.unsupported, unsupported),
            (&mut self.rebuilt, rebuilt),
            (&mut self.unconfirmed, unconfirmed),
            (&mut self.not_judged, result.not_judged.len() as u64),
        ];
        for (sum, count) in counts {
            *sum = sum.saturating_add(count);
        }
        self.seconds += seconds;
        for (index, count) in outcomes {
            // A log is a file: what it says is not trusted.
            if let Some(sum) = self.outcomes.get_mut(usize::from(index)) {
                *sum = sum.saturating_add(count);
            }
        }
        self.features.extend(features);
        for (sum, steps) in self.accepted_steps.iter_mut().zip(accepted_steps) {
            *sum = sum.saturating_add(steps);
        }
        self.growth.push(GrowthPoint {
            ops: self.ops,
            traces: self.traces,
            seconds: self.seconds,
            features: self.features.len(),
        });
        if MOST_GROWTH_POINTS < self.growth.len() {
            // The last one stays, because it says what was reached in the end.
            let mut number = self.growth.len();
            self.growth.retain(|_| {
                number -= 1;
                number.is_multiple_of(2)
            });
        }
    }

    pub(super) fn find(&mut self, found: Found) {
        match self.found.iter_mut().find(|known| known.signature == found.signature) {
            None => self.found.push(found),
            Some(known) if self.prefers_short && found.filed.ops < known.filed.ops => {
                (known.filed, known.shapes, known.earlier_traces) = (found.filed, found.shapes, found.earlier_traces);
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_thinned_and_keeps_its_end() {
        let mut sum = Sum::new(false);
        for number in 1..=1000 {
            let tally = Tally { traces: 1, ops: 10, seconds: 0.5, features: vec![number], ..Tally::default() };
            sum.add(EpochResult { tally, ..EpochResult::default() });
            assert!(sum.growth.len() <= MOST_GROWTH_POINTS);
            let last = &sum.growth[sum.growth.len() - 1];
            assert_eq!((last.ops, last.traces, last.features), (sum.ops, sum.traces, usize::from(number)));
        }
        assert!(MOST_GROWTH_POINTS / 4 < sum.growth.len());
        assert!(sum.growth.is_sorted_by_key(|point| point.ops));
    }

    #[test]
    fn where_time_counts_the_shorter_trace_of_a_finding_is_kept() {
        let cause = crate::finding::Cause::Law { law: "l".to_owned(), field: "f".to_owned(), place: None };
        let found = |ops: usize| Found {
            signature: crate::finding::Signature::new("c", "op", &cause),
            executions: ops as u64,
            ops: 0,
            seconds: 0.0,
            filed: super::super::files::Filed { path: "t".into(), wire: vec![0; ops], ops, known: Vec::new() },
            shapes: Vec::new(),
            earlier_traces: 0,
        };
        for (prefers_short, kept) in [(true, 4), (false, 98)] {
            let mut sum = Sum::new(prefers_short);
            [98, 4, 7].into_iter().for_each(|ops| sum.find(found(ops)));
            let [only] = &sum.found[..] else { panic!("{:?}", sum.found) };
            assert_eq!((only.filed.ops, only.executions), (kept, 98), "it was found when it was found first");
        }
    }
}
