//! Comparing: what a newer run found that an older one did not, what it found no more, and how fast both were. It
//! compares what is in the files; it runs nothing.

use super::{Finding, RunFile, SubjectRun, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema's name.
pub const SCHEMA: &str = "memtwin-comparison/1";

/// Two runs beside each other. Findings are those of sound subjects: what a Broken one shows first is chance, that it
/// is caught is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Findings of the newer run that the older one does not have.
    pub new: Vec<Compared>,
    /// Findings of the older run whose subject agreed on them in the newer one.
    pub fixed: Vec<Compared>,
    /// Findings of both.
    pub still: Vec<Compared>,
    /// Findings of the older run whose subject the newer one did not run.
    pub not_run: Vec<Compared>,
    /// Broken subjects that the newer run missed and the older one did not.
    pub missed: Vec<String>,
    /// Broken subjects that the newer run caught and the older one missed.
    pub caught: Vec<String>,
    /// Ops a second, of the subjects for which both runs have them.
    pub throughput: Vec<Throughput>,
}

/// A finding of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// `component/subject`.
    pub target: String,
    /// The signature.
    pub signature: String,
    /// The shrunk trace: of the newer run, where it has one.
    pub trace: String,
    /// Why it is accepted, in the run that the trace is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

/// How fast a subject ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Throughput {
    /// `component/subject`.
    pub target: String,
    /// Ops a second in the older run.
    pub old: f64,
    /// Ops a second in the newer run.
    pub new: f64,
    /// New over old.
    pub ratio: f64,
}

impl Comparison {
    /// Whether the newer run is worse: it has a new finding that nobody accepted, or missed a defect.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.new.iter().any(|finding| finding.known.is_none()) || !self.missed.is_empty()
    }
}

/// Compares two runs.
#[must_use]
pub fn compare(old: &RunFile, new: &RunFile) -> Comparison {
    let (before, after) = (by_name(old), by_name(new));
    let (known_before, known_after) = (findings(old), findings(new));
    let mut comparison = Comparison {
        schema: SCHEMA,
        new: Vec::new(),
        fixed: Vec::new(),
        still: Vec::new(),
        not_run: Vec::new(),
        missed: Vec::new(),
        caught: Vec::new(),
        throughput: Vec::new(),
    };
    for (key, finding) in &known_after {
        let list = if known_before.contains_key(key) { &mut comparison.still } else { &mut comparison.new };
        list.push(compared(&key.0, finding));
    }
    for (key, finding) in known_before.iter().filter(|(key, _)| !known_after.contains_key(*key)) {
        let list = if after.contains_key(&key.0) { &mut comparison.fixed } else { &mut comparison.not_run };
        list.push(compared(&key.0, finding));
    }
    for (name, now) in &after {
        let then = before.get(name);
        match (then.map(|then| then.verdict), now.verdict) {
            (Some(Verdict::Missed), Verdict::Missed) => {}
            (_, Verdict::Missed) => comparison.missed.push(name.clone()),
            (Some(Verdict::Missed), _) => comparison.caught.push(name.clone()),
            (_, Verdict::Agreed | Verdict::Known | Verdict::Diverged | Verdict::Caught) => {}
        }
        let rates = then.and_then(|then| Some((rate(then)?, rate(now)?)));
        if let Some((old, new)) = rates {
            comparison.throughput.push(Throughput { target: name.clone(), old, new, ratio: new / old });
        }
    }
    comparison
}

fn by_name(run: &RunFile) -> BTreeMap<String, &SubjectRun> {
    run.subjects.iter().map(|subject| (subject.name(), subject)).collect()
}

fn findings(run: &RunFile) -> BTreeMap<(String, &str), &Finding> {
    let sound = run.findings().filter(|(subject, _)| subject.is_sound());
    sound.map(|(subject, finding)| ((subject.name(), finding.signature.as_str()), finding)).collect()
}

fn compared(target: &str, finding: &Finding) -> Compared {
    Compared {
        target: target.to_owned(),
        signature: finding.signature.clone(),
        trace: finding.trace.clone(),
        known: finding.known.clone(),
    }
}

/// Ops a second; nothing where nothing was timed. A Broken subject is left at its first finding, too soon for a rate.
fn rate(subject: &SubjectRun) -> Option<f64> {
    (subject.is_sound() && 0.0 < subject.seconds && 0 < subject.ops).then(|| subject.ops as f64 / subject.seconds)
}
