//! The run file, schema `memtwin-run/1`: what a campaign or a regression run found and counted, as data for people,
//! other programs and later versions. reports/README.md documents it. It runs nothing and judges nothing.

#[cfg(feature = "run_files")]
pub mod compare;
mod day;
pub mod known;
#[cfg(feature = "run_files")]
mod merge;
#[cfg(feature = "run_files")]
mod read;
pub mod stories;
#[cfg(feature = "run_files")]
mod tame;
#[cfg(feature = "run_files")]
mod taming;

pub use day::Day;
#[cfg(feature = "run_files")]
pub use merge::{MergeError, Merging, merge};
#[cfg(feature = "run_files")]
pub use read::{RunFileError, parse, read};
#[cfg(feature = "run_files")]
pub use tame::tame;

use crate::explain::story::Story;
use crate::target::Dialect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema's name.
pub const SCHEMA: &str = "memtwin-run/1";

/// One run, or several merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RunFile {
    pub schema: String,
    /// What kind of run it is. Older files say nothing: they are campaigns.
    #[serde(default)]
    pub kind: Kind,
    pub seed: u64,
    /// Where the traces came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Whether the state was audited after every op.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
    /// Which part of a campaign that was cut into parts, as the command line had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    pub subjects: Vec<SubjectRun>,
    pub totals: Totals,
    /// What became of each trace in a regression run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<TraceRun>,
    /// The runs that were merged, each once. All else in a merged file is derived from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunFile>,
}

/// Kinds of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A campaign.
    #[default]
    Fuzz,
    /// Committed traces, replayed.
    Regress,
    /// Several runs in one.
    Merged,
}

/// One subject's part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SubjectRun {
    pub component: String,
    pub subject: String,
    pub health: String,
    pub defect: Option<String>,
    pub verdict: Verdict,
    pub traces: u64,
    pub ops: u64,
    pub moot: u64,
    pub unsupported: u64,
    /// Traces that ended well and after which the subject was not reset, but built anew; nothing where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuilt: Option<u64>,
    pub unconfirmed: u64,
    /// Traces that were not judged: something outside of memtwin ended their workers, or they took too long.
    #[serde(default, skip_serializing_if = "is_zero_count")]
    pub not_judged: u64,
    pub seconds: f64,
    pub features: usize,
    pub outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    pub shortfalls: Vec<String>,
    /// Known findings that traces went on behind, or ended at: they are counted, and not found anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_steps: Vec<KnownSteps>,
    pub findings: Vec<Finding>,
    /// How the campaign went on, in at most [`MOST_GROWTH_POINTS`] points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<GrowthPoint>,
}

impl SubjectRun {
    /// A subject of which nothing was counted yet.
    #[must_use]
    pub fn uncounted(component: &str, subject: &str, health: &str, verdict: Verdict) -> Self {
        SubjectRun {
            component: component.to_owned(),
            subject: subject.to_owned(),
            health: health.to_owned(),
            defect: None,
            verdict,
            traces: 0,
            ops: 0,
            moot: 0,
            unsupported: 0,
            rebuilt: None,
            unconfirmed: 0,
            not_judged: 0,
            seconds: 0.0,
            features: 0,
            outcomes: BTreeMap::new(),
            shortfalls: Vec::new(),
            known_steps: Vec::new(),
            findings: Vec::new(),
            growth: Vec::new(),
        }
    }
}

/// How often a known finding was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct KnownSteps {
    pub signature: String,
    pub steps: u64,
    /// Why it is accepted for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The most points of a subject's growth.
pub const MOST_GROWTH_POINTS: usize = 64;

/// A campaign on one subject, so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct GrowthPoint {
    pub ops: u64,
    pub traces: u64,
    pub seconds: f64,
    pub features: usize,
}

/// What a run says of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Sound: no finding.
    Agreed,
    /// Sound: each finding is expected, because a file or the baseline knows it.
    Known,
    /// Sound: an unexpected finding.
    Diverged,
    /// Broken: its defect was found.
    Caught,
    /// Broken: its defect was not found.
    Missed,
}

impl Verdict {
    /// Whether the subject is as it should be.
    #[must_use]
    pub const fn is_as_expected(self) -> bool {
        matches!(self, Verdict::Agreed | Verdict::Known | Verdict::Caught)
    }

    /// The word in run files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Agreed => "agreed",
            Verdict::Known => "known",
            Verdict::Diverged => "diverged",
            Verdict::Caught => "caught",
            Verdict::Missed => "missed",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Finding {
    pub signature: String,
    pub kind: String,
    pub law: Option<String>,
    pub step: Option<usize>,
    pub op: String,
    pub trace: String,
    /// Other traces with this signature, of other shapes: they may have another cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<String>,
    pub executions: u64,
    pub seconds: f64,
    /// Why this finding is accepted for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// What it is to the baseline of a regression run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Its trace, told for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<Story>,
}

/// One trace on one subject in a regression run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TraceRun {
    pub trace: String,
    /// `component/subject`, or what the trace's header says where no such subject is.
    pub target: String,
    pub status: Status,
    /// Whether the run is red because of this.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unexpected: bool,
    /// A signature, where the trace must not agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// A signature, or words; nothing where the subject agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// Why it is accepted, skipped or gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a trace on a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It agrees, as it must.
    Passed,
    /// The subject does not serve the trace's setup, and never did.
    Skipped,
    /// It failed before, or was expected to, and agrees now.
    Fixed,
    /// It fails as the trace or the baseline says.
    StillFailing,
    /// It fails as a known finding says.
    Known,
    /// It no longer applies.
    Gone,
    /// It fails at times.
    Flaky,
    /// It fails, and nothing said so.
    New,
}

impl Status {
    /// All of them, the best first.
    pub const ALL: [Status; 8] = [
        Status::Passed,
        Status::Skipped,
        Status::Fixed,
        Status::StillFailing,
        Status::Known,
        Status::Gone,
        Status::Flaky,
        Status::New,
    ];

    /// The words for a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Skipped => "skipped",
            Status::Fixed => "fixed",
            Status::StillFailing => "still failing",
            Status::Known => "known",
            Status::Gone => "gone",
            Status::Flaky => "flaky",
            Status::New => "new",
        }
    }
}

/// Sums over all subjects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Totals {
    pub subjects: usize,
    pub agreed: usize,
    /// Sound subjects with none but accepted findings.
    #[serde(default)]
    pub known: usize,
    pub caught: usize,
    pub missed: usize,
    pub diverged: usize,
    pub shortfalls: usize,
    pub findings: usize,
    pub traces: u64,
    pub ops: u64,
    /// Traces of a regression run, by status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<Status, usize>,
    /// Traces that make a regression run red.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unexpected: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(value: &usize) -> bool {
    *value == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero_count(value: &u64) -> bool {
    *value == 0
}

impl Totals {
    /// The sums.
    #[must_use]
    pub fn of(subjects: &[SubjectRun], traces: &[TraceRun]) -> Self {
        let count = |verdict: Verdict| subjects.iter().filter(|subject| subject.verdict == verdict).count();
        let mut statuses = BTreeMap::new();
        for trace in traces {
            *statuses.entry(trace.status).or_insert(0) += 1;
        }
        Totals {
            subjects: subjects.len(),
            agreed: count(Verdict::Agreed),
            known: count(Verdict::Known),
            caught: count(Verdict::Caught),
            missed: count(Verdict::Missed),
            diverged: count(Verdict::Diverged),
            shortfalls: subjects.iter().map(|subject| subject.shortfalls.len()).sum(),
            findings: subjects.iter().map(|subject| subject.findings.len()).sum(),
            traces: subjects.iter().map(|subject| subject.traces).fold(0, u64::saturating_add),
            ops: subjects.iter().map(|subject| subject.ops).fold(0, u64::saturating_add),
            statuses,
            unexpected: traces.iter().filter(|trace| trace.unexpected).count(),
        }
    }

    /// Whether everything is as expected: sound subjects agreed without a vacuous pass, Broken ones were caught, and no
    /// trace is unexpected.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.missed == 0 && self.diverged == 0 && self.shortfalls == 0 && self.unexpected == 0
    }
}

impl SubjectRun {
    /// `component/subject`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.component, self.subject)
    }

    /// Whether a divergence of this subject is a finding.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.health == "sound"
    }
}

impl Finding {
    /// The finding that a signature and its shrunk trace, of so many ops, make.
    #[must_use]
    pub fn of(dialect: &dyn Dialect, signature: &str, trace: String, ops: usize) -> Self {
        let mut parts = signature.split('/').skip(1);
        let (cause, op) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let law = dialect.laws().iter().find(|law| law.name == cause).map(|law| law.name.to_owned());
        // A shrunk trace fails at its last op, or outside of its ops.
        let step = dialect.op_kinds().contains(&op).then(|| ops.saturating_sub(1));
        Finding {
            shapes: Vec::new(),
            signature: signature.to_owned(),
            kind: if law.is_some() { "divergence".to_owned() } else { cause.to_owned() },
            law,
            step,
            op: op.to_owned(),
            trace,
            executions: 0,
            seconds: 0.0,
            known: None,
            status: None,
            story: None,
        }
    }
}

impl RunFile {
    /// A run file, with its totals.
    #[must_use]
    pub fn new(kind: Kind, seed: u64, subjects: Vec<SubjectRun>, traces: Vec<TraceRun>) -> Self {
        let totals = Totals::of(&subjects, &traces);
        let schema = SCHEMA.to_owned();
        RunFile {
            schema,
            kind,
            seed,
            engine: None,
            strict: false,
            shard: None,
            subjects,
            totals,
            traces,
            runs: Vec::new(),
        }
    }

    /// Whether it says nothing: neither of a subject nor of a trace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.traces.is_empty()
    }

    /// Every finding, with its subject.
    pub fn findings(&self) -> impl Iterator<Item = (&SubjectRun, &Finding)> {
        self.subjects.iter().flat_map(|subject| subject.findings.iter().map(move |finding| (subject, finding)))
    }

    /// One run file of two campaigns on different subjects.
    #[must_use]
    pub fn followed_by(mut self, other: RunFile) -> Self {
        self.subjects.extend(other.subjects);
        self.totals = Totals::of(&self.subjects, &self.traces);
        self
    }
}
