//! What crashes AFL++ kept, as shrunk traces: one for each subject and signature. memtwin itself runs, shrinks and
//! judges them, built for release as the fuzz targets are; the raw files stay where they are.

use crate::Project;
use crate::command::Trouble;
use crate::seeds;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many files one command is given: a command line has an end.
const FILES_PER_COMMAND: usize = 500;

/// A finding that is filed.
#[derive(Debug)]
pub struct Finding {
    /// On this subject of the component.
    pub subject: String,
    /// Which one.
    pub signature: String,
    /// Its shrunk trace.
    pub trace: PathBuf,
    /// How many raw files show it.
    pub crashes: usize,
}

/// What all crashes became.
#[derive(Debug, Default)]
pub struct Findings {
    /// One for each subject and signature.
    pub findings: Vec<Finding>,
    /// Crashes that ended well when they ran alone.
    pub unconfirmed: Vec<PathBuf>,
}

/// Shrinks one crash of each signature and files it below `out`.
///
/// # Errors
/// If memtwin cannot replay or shrink them.
pub fn file(
    project: &Project,
    component: &str,
    subject: Option<&str>,
    crashes: &[PathBuf],
    out: &Path,
) -> Result<Findings, Trouble> {
    let mut replays = Vec::new();
    for some in crashes.chunks(FILES_PER_COMMAND) {
        replays.extend(seeds::replays(project, subject, some)?);
    }
    let failures = failures(&replays);
    let confirmed: Vec<&String> = failures.values().flatten().collect();
    let unconfirmed = crashes.iter().filter(|path| !confirmed.iter().any(|known| Path::new(known) == path.as_path()));
    let unconfirmed = unconfirmed.cloned().collect();
    let mut findings = Vec::new();
    for ((subject, signature), crashes) in failures {
        // Signatures begin with the component, which is the folder's name.
        let stem = signature.split_once('/').map_or(signature.as_str(), |(_, rest)| rest).replace('/', "-");
        let trace = out.join(component).join(format!("{subject}-{stem}.jsonl"));
        let shrink = project.memtwin().with(["shrink"]).with([&crashes[0]]);
        shrink.with(["--subject", &subject, "-o"]).with([&trace]).pass()?;
        findings.push(Finding { subject, signature, trace, crashes: crashes.len() });
    }
    Ok(Findings { findings, unconfirmed })
}

/// The traces that failed, by subject and signature.
fn failures(replays: &[Value]) -> BTreeMap<(String, String), Vec<String>> {
    let mut failures: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for replay in replays.iter().filter(|replay| replay["verdict"] == "failed") {
        let text = |field: &str| replay[field].as_str().unwrap_or_default().to_owned();
        let target = text("target");
        let subject = target.split_once('/').map_or(target.as_str(), |(_, subject)| subject).to_owned();
        failures.entry((subject, text("seen"))).or_default().push(text("trace"));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_finding_is_left_for_each_subject_and_signature() {
        let row = |trace: &str, target: &str, verdict: &str, seen: &str| json!({ "trace": trace, "target": target, "verdict": verdict, "expected": "agreement", "seen": seen });
        let replays = [
            row("a", "brk_heap/one", "failed", "brk_heap/oracle/malloc/result"),
            row("b", "brk_heap/one", "failed", "brk_heap/oracle/malloc/result"),
            row("b", "brk_heap/two", "failed", "brk_heap/oracle/malloc/result"),
            row("c", "brk_heap/one", "passed", "agreement"),
        ];
        let failures = failures(&replays);
        let key = |subject: &str| (subject.to_owned(), "brk_heap/oracle/malloc/result".to_owned());
        assert_eq!(failures.len(), 2);
        assert_eq!(failures[&key("one")], ["a", "b"]);
        assert_eq!(failures[&key("two")], ["b"]);
    }
}
