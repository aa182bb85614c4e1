//! Merging: the results of many machines become one run file. A merged file keeps the set of runs that went into it,
//! each once, and derives all else from that set; so the order of merging, its grouping and repetitions make no
//! difference.

use super::read::excess;
use super::{Finding, GrowthPoint, Kind, RunFile, SubjectRun, TraceRun, Verdict};
use crate::limits::RUN_FILE_BYTES;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

/// Why run files cannot become one.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MergeError {
    #[error("together they are larger than {limit} bytes, the most a run file may be: merge fewer")]
    TooLarge { limit: u64 },
    #[error("what they would become is no run file: {what}; merge fewer")]
    TooMuch { what: String },
}

/// Run files that become one, taken one after the other.
#[derive(Debug, Default)]
pub struct Merging {
    /// Each run once, in an order of its own.
    runs: BTreeMap<(u64, String), RunFile>,
    bytes: u64,
}

impl Merging {
    /// Takes a file. What would become larger than a run file may be is refused.
    pub fn add(&mut self, file: RunFile) -> Result<(), MergeError> {
        let parts = if file.kind == Kind::Merged { file.runs } else { vec![file] };
        for run in parts {
            let text = canonical(&run);
            let bytes = text.len() as u64;
            if let Entry::Vacant(entry) = self.runs.entry((run.seed, text)) {
                self.bytes += bytes;
                if RUN_FILE_BYTES < self.bytes {
                    return Err(MergeError::TooLarge { limit: RUN_FILE_BYTES });
                }
                entry.insert(run);
            }
        }
        Ok(())
    }

    /// The one run file; nothing of none.
    pub fn finish(self) -> Result<Option<RunFile>, MergeError> {
        let Some(merged) = self.merged() else { return Ok(None) };
        if let Some(what) = excess(&merged) {
            return Err(MergeError::TooMuch { what });
        }
        let mut size = Size(0);
        // A run file has a JSON form, and counting cannot fail.
        let is_written = serde_json::to_writer(&mut size, &merged).is_ok();
        if !is_written || RUN_FILE_BYTES <= size.0 {
            return Err(MergeError::TooLarge { limit: RUN_FILE_BYTES });
        }
        Ok(Some(merged))
    }

    fn merged(self) -> Option<RunFile> {
        if self.runs.len() <= 1 {
            return self.runs.into_values().next();
        }
        let runs: Vec<RunFile> = self.runs.into_values().collect();
        let merged = RunFile::new(Kind::Merged, runs[0].seed, subjects(&runs), traces(&runs));
        Some(RunFile { runs, ..merged })
    }
}

/// Counts what is written.
struct Size(u64);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One run file of several; nothing of none.
pub fn merge(files: impl IntoIterator<Item = RunFile>) -> Result<Option<RunFile>, MergeError> {
    let mut merging = Merging::default();
    files.into_iter().try_for_each(|file| merging.add(file))?;
    merging.finish()
}

/// The same for equal runs, in an order of its own.
fn canonical(run: &RunFile) -> String {
    serde_json::to_string(run).expect("a run file has a JSON form")
}

/// Runs of one seed with one engine draw the same traces: the longer one holds the work of the shorter.
type Work<'a> = (Kind, u64, &'a Option<String>, bool, &'a Option<String>);

fn work(run: &RunFile) -> Work<'_> {
    (run.kind, run.seed, &run.engine, run.strict, &run.shard)
}

/// Every subject of every run, in the order of the runs that have the most of them.
fn subjects(runs: &[RunFile]) -> Vec<SubjectRun> {
    let mut order: Vec<&RunFile> = runs.iter().collect();
    order.sort_by_key(|run| Reverse(run.subjects.len()));
    let mut names = Vec::new();
    let mut parts: BTreeMap<String, Vec<(Work<'_>, &SubjectRun)>> = BTreeMap::new();
    for (run, subject) in order.iter().flat_map(|run| run.subjects.iter().map(move |subject| (run, subject))) {
        let name = subject.name();
        let of_name = parts.entry(name.clone()).or_default();
        if of_name.is_empty() {
            names.push(name);
        }
        of_name.push((work(run), subject));
    }
    names.iter().filter_map(|name| parts.get(name)).filter_map(|parts| subject(parts)).collect()
}

/// One subject of its parts: counts of the same work once, counts of different work added up, findings united.
fn subject(parts: &[(Work<'_>, &SubjectRun)]) -> Option<SubjectRun> {
    let mut counted: BTreeMap<&Work<'_>, &SubjectRun> = BTreeMap::new();
    for (work, part) in parts {
        match counted.entry(work) {
            Entry::Vacant(entry) => {
                entry.insert(part);
            }
            Entry::Occupied(mut entry) => {
                if (entry.get().ops, entry.get().traces) < (part.ops, part.traces) {
                    entry.insert(part);
                }
            }
        }
    }
    let mut sums = counted.values();
    let mut merged: SubjectRun = (*sums.next()?).clone();
    let mut longest = merged.ops;
    for part in sums {
        if longest < part.ops {
            longest = part.ops;
            merged.growth.clone_from(&part.growth);
        }
        add(&mut merged, part);
    }
    merged.features =
        merged.features.max(merged.growth.iter().map(|point: &GrowthPoint| point.features).max().unwrap_or(0));
    let parts: Vec<&SubjectRun> = parts.iter().map(|(_, part)| *part).collect();
    merged.verdict = verdict(&parts)?;
    merged.findings = findings(&parts);
    merged.shortfalls = parts.iter().flat_map(|part| part.shortfalls.iter().cloned()).collect();
    merged.shortfalls.sort();
    merged.shortfalls.dedup();
    Some(merged)
}

fn add(sum: &mut SubjectRun, part: &SubjectRun) {
    let counts = [
        (&mut sum.traces, part.traces),
        (&mut sum.ops, part.ops),
        (&mut sum.moot, part.moot),
        (&mut sum.unsupported, part.unsupported),
        (&mut sum.unconfirmed, part.unconfirmed),
        (&mut sum.not_judged, part.not_judged),
    ];
    for (sum, count) in counts {
        *sum = sum.saturating_add(count);
    }
    sum.rebuilt = sum.rebuilt.zip(part.rebuilt).map(|(sum, part)| sum.saturating_add(part));
    sum.seconds += part.seconds;
    // Which features these were is not in the files: together the runs reached at least as many as one of them.
    sum.features = sum.features.max(part.features);
    for known in &part.known_steps {
        match sum.known_steps.iter_mut().find(|other| other.signature == known.signature) {
            Some(other) => other.steps = other.steps.saturating_add(known.steps),
            None => sum.known_steps.push(known.clone()),
        }
    }
    for (op, classes) in &part.outcomes {
        let row = sum.outcomes.entry(op.clone()).or_default();
        for (class, count) in classes {
            let cell = row.entry(class.clone()).or_default();
            *cell = cell.saturating_add(*count);
        }
    }
}

/// Sound: the worst of what was said. Broken: caught once is caught.
fn verdict(parts: &[&SubjectRun]) -> Option<Verdict> {
    let verdicts = parts.iter().map(|part| part.verdict);
    if parts.iter().all(|part| part.is_sound()) { verdicts.max() } else { verdicts.min() }
}

/// Each signature once: one that is not accepted before one that is, then the one found soonest.
fn findings(parts: &[&SubjectRun]) -> Vec<Finding> {
    let mut best: BTreeMap<&str, &Finding> = BTreeMap::new();
    let rank = |finding: &Finding| {
        let text = serde_json::to_string(finding).expect("a finding has a JSON form");
        (finding.known.is_some(), Reverse(finding.status), finding.executions, text)
    };
    for finding in parts.iter().flat_map(|part| &part.findings) {
        let known = best.entry(&finding.signature).or_insert(finding);
        if rank(finding) < rank(known) {
            *known = finding;
        }
    }
    best.into_values().cloned().collect()
}

/// Each trace on each subject once, with the worst that became of it.
fn traces(runs: &[RunFile]) -> Vec<TraceRun> {
    let mut worst: BTreeMap<(&str, &str), &TraceRun> = BTreeMap::new();
    let rank = |trace: &TraceRun| {
        (trace.unexpected, trace.status, trace.seen.clone(), trace.reason.clone(), trace.expected.clone())
    };
    for trace in runs.iter().flat_map(|run| &run.traces) {
        let known = worst.entry((&trace.trace, &trace.target)).or_insert(trace);
        if rank(known) < rank(trace) {
            *known = trace;
        }
    }
    worst.into_values().cloned().collect()
}
