//! The run file, schema `memtwin-run/1`: what one campaign found and counted. reports/README.md documents it.

use super::epoch::Found;
use crate::lockstep::{CLASSES, COUNTS};
use crate::target::Target;
use memtwin_models::Effect;
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema's name.
pub const SCHEMA: &str = "memtwin-run/1";
/// Ops from which on the floors under outcomes hold: below, a small count says nothing.
const FLOOR_FROM_OPS: u64 = 10_000_000;
/// Each op kind succeeds and fails at least this often in each [`FLOOR_FROM_OPS`] ops, where its contract permits both.
const FLOOR: u64 = 1000;

/// One campaign.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct RunFile {
    pub schema: String,
    pub seed: u64,
    pub subjects: Vec<SubjectRun>,
    pub totals: Totals,
}

/// One subject's part of a campaign.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct SubjectRun {
    pub component: String,
    pub subject: String,
    pub health: String,
    pub defect: Option<String>,
    pub verdict: String,
    pub traces: u64,
    pub ops: u64,
    pub moot: u64,
    pub unsupported: u64,
    pub unconfirmed: u64,
    pub seconds: f64,
    pub features: usize,
    pub outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    pub shortfalls: Vec<String>,
    pub findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Finding {
    pub signature: String,
    pub kind: String,
    pub law: Option<String>,
    pub step: Option<usize>,
    pub op: String,
    pub trace: String,
    pub executions: u64,
    pub seconds: f64,
}

/// Sums over all subjects.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Totals {
    pub subjects: usize,
    pub agreed: usize,
    pub caught: usize,
    pub missed: usize,
    pub diverged: usize,
    pub shortfalls: usize,
    pub findings: usize,
    pub traces: u64,
    pub ops: u64,
}

impl Finding {
    pub(super) fn new(target: &dyn Target, found: &Found) -> Self {
        let signature = found.signature.as_str();
        let mut parts = signature.split('/').skip(1);
        let (cause, op) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let law = target.dialect().laws().iter().find(|law| law.name == cause).map(|law| law.name.to_owned());
        // A shrunk trace fails at its last op, or outside of its ops.
        let step = target.dialect().op_kinds().contains(&op).then(|| found.filed.ops.saturating_sub(1));
        Finding {
            signature: signature.to_owned(),
            kind: if law.is_some() { "divergence".to_owned() } else { cause.to_owned() },
            law,
            step,
            op: op.to_owned(),
            trace: found.filed.path.display().to_string(),
            executions: found.executions,
            seconds: found.seconds,
        }
    }
}

impl Totals {
    pub(super) fn of(subjects: &[SubjectRun]) -> Self {
        let count = |verdict: &str| subjects.iter().filter(|subject| subject.verdict == verdict).count();
        Totals {
            subjects: subjects.len(),
            agreed: count("agreed"),
            caught: count("caught"),
            missed: count("missed"),
            diverged: count("diverged"),
            shortfalls: subjects.iter().map(|subject| subject.shortfalls.len()).sum(),
            findings: subjects.iter().map(|subject| subject.findings.len()).sum(),
            traces: subjects.iter().map(|subject| subject.traces).sum(),
            ops: subjects.iter().map(|subject| subject.ops).sum(),
        }
    }

    /// Whether everything is as expected: sound subjects agreed without a vacuous pass, Broken ones were caught.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.missed == 0 && self.diverged == 0 && self.shortfalls == 0
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

/// Where a pass says too little: failures that did not repeat, too many moot traces, or an op kind that hardly ever succeeded or failed although the
/// contract permits both.
pub(super) fn shortfalls(
    target: &dyn Target,
    counts: &[u64; COUNTS],
    ops: u64,
    traces: u64,
    moot: u64,
    unconfirmed: u64,
) -> Vec<String> {
    let mut shortfalls = Vec::new();
    if 0 < unconfirmed {
        let what = "failures did not repeat on a fresh subject: something outlives its reset, or chance has a part in it; see the unconfirmed traces";
        shortfalls.push(format!("{unconfirmed} {what}"));
    }
    if traces < moot * 100 {
        shortfalls.push(format!("{moot} of {traces} traces are moot; at most one in a hundred may be"));
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
            let seen: u64 = classes().map(|(class, _)| counts[kind * CLASSES + class]).sum();
            if seen < floor {
                shortfalls.push(format!("{name} {words} {seen} times in {ops} ops; at least {floor} times are needed"));
            }
        }
    }
    shortfalls
}

impl RunFile {
    /// One run file of two campaigns on different subjects.
    #[must_use]
    pub fn followed_by(mut self, other: RunFile) -> Self {
        self.subjects.extend(other.subjects);
        self.totals = Totals::of(&self.subjects);
        self
    }
}
