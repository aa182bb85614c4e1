//! How a campaign fills its run file: findings, outcome counts, and where a pass says too little.

use super::result::Found;
use super::tally::Sum;
use crate::lockstep::{CLASSES, COUNTS};
use crate::target::Target;
use crate::vacuity::{self, Allowed, Ran};
use memtwin_models::Effect;
use std::collections::BTreeMap;
use std::path::Path;

pub use crate::run_file::{Finding, RunFile, SubjectRun, Verdict};

/// Ops from which on the floors under outcomes hold: below, a small count says nothing.
const FLOOR_FROM_OPS: u64 = 10_000_000;
/// Each op kind succeeds and fails at least this often in each [`FLOOR_FROM_OPS`] ops, where its contract permits both.
const FLOOR: u64 = 1000;

impl Finding {
    pub(super) fn new(target: &dyn Target, found: &Found) -> Self {
        let filed = &found.filed;
        let trace = filed.path.display().to_string();
        let finding = Finding::of(target.dialect(), found.signature.as_str(), trace, filed.ops);
        let shapes = found.shapes.iter().map(|shape| shape.path.display().to_string()).collect();
        Finding { shapes, executions: found.executions, seconds: found.seconds, ..finding }
    }
}

/// The counts by the names of op kind and outcome class, without zeros.
pub(super) fn outcome_table(target: &dyn Target, counts: &[u64; COUNTS]) -> BTreeMap<String, BTreeMap<String, u64>> {
    let dialect = target.dialect();
    let row = |(kind, name): (usize, &&str)| {
        let classes = dialect.outcome_classes().iter().enumerate();
        let counted = classes.map(|(class, known)| (known.name.to_owned(), counts[kind * CLASSES + class]));
        ((*name).to_owned(), counted.filter(|(_, count)| *count != 0).collect())
    };
    dialect.op_kinds().iter().enumerate().map(row).collect()
}

/// Where a pass says too little: not enough was judged, failures did not repeat, or an op kind hardly ever succeeded or
/// failed although the contract permits both. Traces are filed below `out`.
pub(super) fn shortfalls(target: &dyn Target, sum: &Sum, out: &Path) -> Vec<String> {
    let Sum { traces, ops, moot, unsupported, unconfirmed, outcomes: counts, .. } = sum;
    let (ops, unconfirmed) = (*ops, *unconfirmed);
    let skipped = vacuity::skipped(target.dialect().outcome_classes(), counts);
    let ran = Ran { traces: *traces, moot: *moot, unsupported: *unsupported, ops, skipped };
    let mut shortfalls = vacuity::shortfalls(&ran, Allowed::OneInAHundred);
    if 0 < unconfirmed {
        let traces = format!("{}-unconfirmed-*", target.name());
        let what = "did not repeat on a fresh subject: something outlives its reset, or chance has a part in it";
        let failures = if unconfirmed == 1 { "1 failure".to_owned() } else { format!("{unconfirmed} failures") };
        shortfalls.push(format!("{failures} {what}; see {}", out.join(traces).display()));
    }
    let floor = ops / FLOOR_FROM_OPS * FLOOR;
    let dialect = target.dialect();
    for (kind, name) in dialect.op_kinds().iter().enumerate() {
        for (effect, words) in [(Effect::Success, "succeeded"), (Effect::Failure, "failed")] {
            let classes =
                || dialect.outcome_classes().iter().enumerate().filter(move |(_, class)| class.effect == effect);
            if !classes().any(|(class, _)| target.permits(kind, class)) {
                continue;
            }
            let seen = classes().fold(0_u64, |sum, (class, _)| sum.saturating_add(counts[kind * CLASSES + class]));
            if seen < floor {
                shortfalls.push(format!("{name} {words} {seen} times in {ops} ops; at least {floor} times are needed"));
            }
        }
    }
    shortfalls
}
