//! The options about known findings, which several verbs have. The system's clock is read here, where no date is given.

use super::Failed;
use super::screen::{BAD, Screen};
use crate::run_file::known::KnownFindings;
use crate::run_file::{Day, RunFile};
use crate::text;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The list that is used if it is there and no other one is named.
const COMMITTED: &str = "reports/known-findings.json";

/// What is accepted, as the command line says it.
#[derive(Debug, Default, Args)]
pub struct KnownOptions {
    /// The list of known findings; reports/known-findings.json, where there is one, if left out
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// The day on which a known finding must not have expired; today if left out
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Day>,
}

impl KnownOptions {
    /// The list that was named, if any was.
    #[must_use]
    pub fn named(&self) -> Option<&Path> {
        self.known.as_deref()
    }

    /// The list.
    ///
    /// # Errors
    /// If the list that was named, or the committed one, cannot be read.
    pub fn load(&self) -> Result<KnownFindings, Failed> {
        let today = self.today.unwrap_or_else(|| Day::of(SystemTime::now()));
        match &self.known {
            Some(file) => Ok(KnownFindings::load(file, today)?),
            None if Path::new(COMMITTED).exists() => Ok(KnownFindings::load(Path::new(COMMITTED), today)?),
            None => Ok(KnownFindings::new(Vec::new(), today)),
        }
    }
}

/// Says which findings of a run are accepted, and which are so no more.
pub(super) fn show(screen: &Screen, known: &KnownFindings, run: &RunFile) -> std::io::Result<()> {
    for (subject, finding) in run.findings() {
        if let Some(reason) = &finding.known {
            let line = format!("known: {} on {}: {reason}", finding.signature, subject.name());
            screen.line(&text::line(&line))?;
        }
    }
    for entry in known.unmet_in(run) {
        let line = format!("not met: {} on {}; if it is mended, its entry can go", entry.signature, entry.subject);
        screen.line(&text::line(&line))?;
    }
    for entry in known.expired_in(run) {
        let line = format!(
            "{} on {} was accepted until {} and counts again: {}",
            entry.signature, entry.subject, entry.until, entry.reason
        );
        screen.line(&format!("{BAD}expired:{BAD:#} {}", text::line(&line)))?;
    }
    Ok(())
}
