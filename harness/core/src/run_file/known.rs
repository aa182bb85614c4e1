//! Known findings: a committed file says which findings are accepted, why, and until when, so that one accepted bug
//! does not turn every run red. The date is given to a run, never read from a clock here. A finding that no entry names
//! is as unexpected as ever.

use super::{Day, RunFile, Totals, Verdict};
use crate::accepted::Accepted;
use crate::files;
use crate::limits::KNOWN_FILE_BYTES;
use crate::registry::Registry;
use crate::target::Target;
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// One accepted finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFinding {
    /// The signature.
    pub signature: String,
    /// The subject, as on the command line: `component/subject`.
    pub subject: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is.
    pub until: Day,
}

/// Why a file of known findings cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum KnownError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} is no list of known findings: {message}; an entry is \
         {{\"signature\":…,\"subject\":\"component/subject\",\"reason\":…,\"until\":\"2030-12-31\"}}"
    )]
    NotAList { path: PathBuf, message: String },
}

/// The accepted findings of one file, on one day.
#[derive(Debug, Clone)]
pub struct KnownFindings {
    entries: Vec<KnownFinding>,
    today: Day,
}

impl KnownFindings {
    /// These entries, on this day.
    #[must_use]
    pub fn new(entries: Vec<KnownFinding>, today: Day) -> Self {
        KnownFindings { entries, today }
    }

    /// The entries of a file, on this day.
    pub fn load(path: &Path, today: Day) -> Result<Self, KnownError> {
        let unreadable = |source| KnownError::Read { path: path.to_owned(), source };
        let not_a_list = |message: String| KnownError::NotAList { path: path.to_owned(), message };
        let mut text = Vec::new();
        let file = files::open(path).map_err(unreadable)?;
        file.take(KNOWN_FILE_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
        if KNOWN_FILE_BYTES < text.len() as u64 {
            return Err(not_a_list(format!("it is larger than {KNOWN_FILE_BYTES} bytes")));
        }
        let entries: Vec<KnownFinding> =
            serde_json::from_slice(&text).map_err(|error| not_a_list(error.to_string().chars().take(200).collect()))?;
        for (index, entry) in entries.iter().enumerate() {
            if entry.reason.trim().is_empty() {
                return Err(not_a_list(format!("entry {index} gives no reason")));
            }
            if entry.component() != entry.signature.split('/').next() {
                return Err(not_a_list(format!("subject and signature of entry {index} are of different components")));
            }
        }
        Ok(KnownFindings { entries, today })
    }

    /// Why this finding is accepted today.
    #[must_use]
    pub fn reason(&self, target: &str, signature: &str) -> Option<String> {
        let mut of_finding = self.entries.iter().filter(|entry| entry.is_of(target, signature));
        let accepted = of_finding.find(|entry| self.today <= entry.until)?;
        Some(format!("{} (until {})", accepted.reason, accepted.until))
    }

    /// What traces of a target go on behind today: of a sound one, for a Broken one must be caught.
    #[must_use]
    pub fn accepted(&self, registry: &Registry, index: usize) -> Accepted {
        let target = registry.get(index).filter(|target| target.is_sound() && !registry.is_held_to_contract(index));
        let Some(name) = target.map(Target::name) else { return Accepted::default() };
        let of_target = self.entries.iter().filter(|entry| entry.subject == name && self.today <= entry.until);
        Accepted::new(of_target.map(|entry| entry.signature.as_str()))
    }

    /// The entry for this finding that is out of date, if no other one accepts it.
    #[must_use]
    pub fn expired(&self, target: &str, signature: &str) -> Option<&KnownFinding> {
        let mut of_finding = self.entries.iter().filter(|entry| entry.is_of(target, signature));
        let is_accepted = of_finding.clone().any(|entry| self.today <= entry.until);
        of_finding.next().filter(|_| !is_accepted)
    }

    /// Marks what is accepted in a campaign's run file. A sound subject with none but accepted findings is `known`.
    pub fn mark(&self, run: &mut RunFile) {
        for subject in run.subjects.iter_mut().filter(|subject| subject.is_sound()) {
            let name = subject.name();
            for finding in &mut subject.findings {
                finding.known = self.reason(&name, &finding.signature);
            }
            for known in &mut subject.known_steps {
                known.reason = self.reason(&name, &known.signature);
            }
            if subject.verdict == Verdict::Diverged && subject.findings.iter().all(|finding| finding.known.is_some()) {
                subject.verdict = Verdict::Known;
            }
        }
        run.totals = Totals::of(&run.subjects, &run.traces);
    }

    /// The entries for subjects of a run that did not meet them.
    pub fn unmet_in<'a>(&'a self, run: &'a RunFile) -> impl Iterator<Item = &'a KnownFinding> {
        self.entries.iter().filter(|entry| {
            let of_subject = run.subjects.iter().find(|subject| subject.name() == entry.subject);
            of_subject.is_some_and(|subject| {
                let steps = subject.known_steps.iter().map(|known| &known.signature);
                let mut met = subject.findings.iter().map(|finding| &finding.signature).chain(steps);
                met.all(|signature| *signature != entry.signature)
            })
        })
    }

    /// The findings of sound subjects whose entries are out of date: they count again.
    pub fn expired_in<'a>(&'a self, run: &'a RunFile) -> impl Iterator<Item = &'a KnownFinding> {
        let sound = run.findings().filter(|(subject, _)| subject.is_sound());
        sound.filter_map(|(subject, finding)| self.expired(&subject.name(), &finding.signature))
    }
}

impl KnownFinding {
    fn is_of(&self, target: &str, signature: &str) -> bool {
        self.subject == target && self.signature == signature
    }

    fn component(&self) -> Option<&str> {
        self.subject.split_once('/').map(|(component, _)| component)
    }
}
