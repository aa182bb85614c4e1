//! What all engines found, as traces: one for each subject and signature, the smallest that any of them has. A file
//! that is no trace of a finding is left where it is.

use memtwin_core::Registry;
use memtwin_core::files::write_atomically;
use memtwin_core::run_file::known::KnownFindings;
use memtwin_core::run_file::{Finding, Kind, RunFile, SubjectRun, Verdict};
use memtwin_core::trace_files::{find_traces, load};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How the names of traces begin that did not fail again.
const UNCONFIRMED: &str = "unconfirmed-";

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// `component/subject`.
    pub(super) target: String,
    pub(super) is_sound: bool,
    pub(super) signature: String,
    /// The smallest trace.
    pub(super) trace: PathBuf,
    pub(super) ops: usize,
    /// Who found it.
    pub(super) engines: BTreeSet<&'static str>,
    /// Why it is accepted for now.
    pub(super) known: Option<String>,
}

impl Found {
    pub(super) fn component(&self) -> &str {
        self.target.split_once('/').map_or(self.target.as_str(), |(component, _)| component)
    }
}

/// All findings, by subject and signature, and the folder that their traces lie in.
#[derive(Debug)]
pub(super) struct Findings {
    folder: PathBuf,
    found: BTreeMap<(String, String), Found>,
}

impl Findings {
    /// None yet.
    pub(super) fn below(folder: PathBuf) -> Self {
        Findings { folder, found: BTreeMap::new() }
    }

    /// Takes over the findings whose traces lie below a folder, if it is there. Says how many are new.
    pub(super) fn collect(
        &mut self,
        registry: &Registry,
        known: &KnownFindings,
        engine: &'static str,
        from: &Path,
    ) -> Result<usize, Box<dyn std::error::Error>> {
        let before = self.found.len();
        for path in traces(from)? {
            let loaded = load(registry, &path)?;
            let dialect = loaded.dialect;
            let (Some(subject), Some(signature)) = (loaded.header.subject, loaded.header.expect) else { continue };
            let Some(target) = registry.index_of(dialect.name(), &subject).and_then(|index| registry.get(index)) else {
                continue;
            };
            let (name, ops) = (target.name(), dialect.op_count(&loaded.wire));
            let known = known.reason(&name, &signature).filter(|_| target.is_sound());
            let trace = self.folder.join(dialect.name()).join(format!("{subject}-{}.jsonl", stem(&signature)));
            let found = self.found.entry((name.clone(), signature.clone())).or_insert_with(|| Found {
                target: name,
                is_sound: target.is_sound(),
                signature,
                trace: trace.clone(),
                ops: usize::MAX,
                engines: BTreeSet::new(),
                known,
            });
            found.engines.insert(engine);
            if ops < found.ops {
                found.ops = ops;
                write_atomically(&trace, &std::fs::read(&path)?)
                    .map_err(|error| format!("cannot write {}: {error}", trace.display()))?;
            }
        }
        Ok(self.found.len() - before)
    }

    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Found> {
        self.found.values()
    }

    /// The run file of an engine that writes none: its findings, and no counts.
    pub(super) fn run_of(&self, registry: &Registry, engine: &'static str) -> RunFile {
        let mut subjects: BTreeMap<&str, SubjectRun> = BTreeMap::new();
        for found in self.iter().filter(|found| found.engines.contains(engine)) {
            let Some((component, subject)) = found.target.split_once('/') else { continue };
            let Some(dialect) = registry.dialect(component) else { continue };
            let trace = found.trace.display().to_string();
            let mut finding = Finding::of(dialect, &found.signature, trace, found.ops);
            finding.known.clone_from(&found.known);
            let part = subjects.entry(&found.target).or_insert_with(|| uncounted(component, subject, found.is_sound));
            part.findings.push(finding);
            if part.is_sound() && part.findings.iter().any(|finding| finding.known.is_none()) {
                part.verdict = Verdict::Diverged;
            }
        }
        let run = RunFile::new(Kind::Fuzz, 0, subjects.into_values().collect(), Vec::new());
        RunFile { engine: Some(engine.to_owned()), ..run }
    }

    /// Names the traces kept here in place of those that an engine wrote.
    pub(super) fn name_traces(&self, run: &mut RunFile) {
        for subject in &mut run.subjects {
            let name = subject.name();
            for finding in &mut subject.findings {
                if let Some(found) = self.found.get(&(name.clone(), finding.signature.clone())) {
                    finding.trace = found.trace.display().to_string();
                }
            }
        }
    }
}

/// A signature as part of a file name. It begins with the component, which is the folder's name, and comes from a
/// header.
fn stem(signature: &str) -> String {
    let rest = signature.split_once('/').map_or(signature, |(_, rest)| rest);
    let tame = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    rest.chars().take(100).map(tame).collect()
}

/// A subject with findings and without counts.
pub(super) fn uncounted(component: &str, subject: &str, is_sound: bool) -> SubjectRun {
    let (health, verdict) = if is_sound { ("sound", Verdict::Known) } else { ("broken", Verdict::Caught) };
    SubjectRun::uncounted(component, subject, health, verdict)
}

/// The JSON traces below a folder.
fn traces(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let is_trace = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".jsonl") && !name.contains(UNCONFIRMED)
    };
    match find_traces(folder) {
        Ok(traces) => Ok(traces.into_iter().filter(is_trace).collect()),
        Err(memtwin_core::trace::TraceError::NoTrace { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_core::run_file::known::KnownFinding;

    const COMPONENT: &str = "guest_memory";

    fn crash(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crashes").join(COMPONENT).join(format!("{name}.jsonl"))
    }

    fn put(folder: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(folder.join(COMPONENT)).unwrap();
        std::fs::write(folder.join(COMPONENT).join(name), text).unwrap();
    }

    fn text(name: &str) -> String {
        std::fs::read_to_string(crash(name)).unwrap()
    }

    fn nothing_known() -> KnownFindings {
        KnownFindings::new(Vec::new(), "2030-01-01".parse().unwrap())
    }

    #[test]
    fn one_finding_is_left_of_what_two_engines_found_and_its_trace_is_kept() {
        let (registry, known) = (crate::registry(), nothing_known());
        let (one, two, kept) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(one.path(), "a.jsonl", &text("GM-01"));
        put(two.path(), "b.jsonl", &text("GM-01"));
        put(two.path(), "c.jsonl", &text("GM-02"));
        put(two.path(), "unconfirmed-d.jsonl", &text("GM-04"));
        put(two.path(), "crash-00", "raw");
        let mut findings = Findings::below(kept.path().to_owned());
        assert_eq!(findings.collect(&registry, &known, "guided", one.path()).unwrap(), 1);
        assert_eq!(findings.collect(&registry, &known, "libfuzzer", two.path()).unwrap(), 1);
        assert_eq!(findings.collect(&registry, &known, "afl", &kept.path().join("nowhere")).unwrap(), 0);
        let found: Vec<_> = findings.iter().collect();
        assert_eq!(found[0].engines, BTreeSet::from(["guided", "libfuzzer"]));
        assert_eq!(found[1].engines, BTreeSet::from(["libfuzzer"]));
        for found in &found {
            assert_eq!(load(&registry, &found.trace).unwrap().header.expect.as_ref(), Some(&found.signature));
        }
        let run = findings.run_of(&registry, "guided");
        assert_eq!((run.subjects.len(), run.subjects[0].verdict, run.totals.findings), (1, Verdict::Caught, 1));
        assert_eq!(findings.run_of(&registry, "afl").subjects.len(), 0);
    }

    #[test]
    fn an_accepted_finding_of_a_sound_subject_stays_known_until_another_comes() {
        let registry = crate::registry();
        let sound = text("published_fix");
        let from = tempfile::tempdir().unwrap();
        put(from.path(), "a.jsonl", &sound);
        let loaded = load(&registry, &from.path().join(COMPONENT).join("a.jsonl")).unwrap();
        let (subject, signature) = (loaded.header.subject.unwrap(), loaded.header.expect.unwrap());
        // The same trace as of a sound subject.
        let of_sound = sound.replacen(&subject, "soft_mmu", 1);
        let from = tempfile::tempdir().unwrap();
        put(from.path(), "a.jsonl", &of_sound);
        let entry = KnownFinding {
            signature: signature.clone(),
            subject: "guest_memory/soft_mmu".to_owned(),
            reason: "under repair".to_owned(),
            until: "2030-06-01".parse().unwrap(),
        };
        let verdict = |known: &KnownFindings| {
            let kept = tempfile::tempdir().unwrap();
            let mut findings = Findings::below(kept.path().to_owned());
            findings.collect(&registry, known, "libfuzzer", from.path()).unwrap();
            findings.run_of(&registry, "libfuzzer").subjects[0].verdict
        };
        assert_eq!(verdict(&KnownFindings::new(vec![entry], "2030-01-01".parse().unwrap())), Verdict::Known);
        assert_eq!(verdict(&nothing_known()), Verdict::Diverged);
    }

    #[test]
    fn run_files_name_the_traces_that_are_kept() {
        let (registry, from, kept) = (crate::registry(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(from.path(), "a.jsonl", &text("GM-01"));
        let mut findings = Findings::below(kept.path().to_owned());
        findings.collect(&registry, &nothing_known(), "guided", from.path()).unwrap();
        let mut run = findings.run_of(&registry, "guided");
        let kept = run.subjects[0].findings[0].trace.clone();
        run.subjects[0].findings[0].trace = "elsewhere".to_owned();
        findings.name_traces(&mut run);
        assert_eq!(run.subjects[0].findings[0].trace, kept);
    }
}
