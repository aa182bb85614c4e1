//! Benchmarks of memtwin itself: how soon each known defect is caught, and how fast sound subjects run. Schema
//! `memtwin-bench/1`. It measures and says; what is good enough is for others to judge.

mod catch;
mod speed;

pub use catch::{Catch, CatchPlan, EngineCatch, SubjectCatch, catch};
pub use speed::{Canary, Speed, SubjectSpeed, speed};

use serde::Serialize;

/// The schema's name.
pub const SCHEMA: &str = "memtwin-bench/1";

/// The middle of some measurements, and their spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// Of measurements in any order; `None` where there are none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some(Spread { median: values[values.len() / 2], least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_that_of_its_values() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
