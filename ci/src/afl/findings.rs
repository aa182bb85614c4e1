//! What crashes AFL++ kept, as shrunk traces: one for each subject and signature. memtwin itself runs, shrinks and
//! judges them, built for release as the fuzz targets are; the raw files stay where they are.

use crate::command::{Run, Trouble};
use crate::room::Room;
use crate::seeds;
use memtwin::files::write_atomically;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many files one command is given: a command line has an end.
const FILES_PER_COMMAND: usize = 500;

/// A finding that is filed.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) subject: String,
    pub(crate) signature: String,
    pub(crate) trace: PathBuf,
    /// How many raw files show it.
    pub(crate) crashes: usize,
}

/// What all crashes became.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) findings: Vec<Finding>,
    /// Crashes that ended well when they ran alone.
    pub(crate) unconfirmed: Vec<PathBuf>,
}

/// Shrinks one crash of each signature and files it below `out`.
pub(crate) fn file(
    room: &Room,
    component: &str,
    subject: Option<&str>,
    crashes: &[PathBuf],
    out: &Path,
) -> Result<Findings, Trouble> {
    let mut replays = Vec::new();
    for some in crashes.chunks(FILES_PER_COMMAND) {
        replays.extend(seeds::replays(room, subject, some)?);
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
        let small = tempfile::tempdir()?;
        let small = small.path().join("small.jsonl");
        Run::memtwin(room)
            .with(["shrink"])
            .with([&crashes[0]])
            .with(["--subject", &subject, "-o"])
            .with([&small])
            .pass()?;
        write_atomically(&trace, &std::fs::read(&small)?)?;
        findings.push(Finding { subject, signature, trace, crashes: crashes.len() });
    }
    Ok(Findings { findings, unconfirmed })
}

/// The command that replays a trace, as a person types it in the repository's root.
pub(crate) fn replay_line(trace: &Path) -> String {
    format!("cargo run --release -- replay {}", trace.display())
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
