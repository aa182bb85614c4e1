//! Reports: one run file told in the forms that people, code hosts and build servers read. Every text of a run file is
//! foreign and is made tame first; each form escapes it in its own way. A report adds no judgement of its own.

mod bill;
mod html;
mod junit;
mod markdown;
mod sarif;

use memtwin_core::program::{self, as_argument};
use memtwin_core::registry::Registry;
use memtwin_core::run_file::{self, Finding, RunFile, RunFileError, Status, SubjectRun, tame};
use std::io::{self, Write};
use std::path::Path;

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Format {
    /// One page for a browser, without anything from elsewhere.
    Html,
    /// JUnit XML, for build servers.
    Junit,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
    /// Markdown, for a comment on a pull request.
    Md,
    /// Markdown: a page for each subject that agreed, to be published by who maintains it.
    Bill,
}

impl Format {
    /// The name of the file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Format::Html => "report.html",
            Format::Junit => "junit.xml",
            Format::Sarif => "report.sarif",
            Format::Md => "report.md",
            Format::Bill => "bill.md",
        }
    }
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReportError {
    #[error(transparent)]
    RunFile(#[from] RunFileError),
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}

/// The run as reports show it: with tame texts.
#[derive(Debug)]
pub struct Report {
    run: RunFile,
    sources: Vec<bill::Source>,
}

impl Report {
    /// Makes the texts of a run tame.
    pub fn new(run: &RunFile) -> Result<Self, ReportError> {
        let run = tame(run)?;
        Ok(Report { sources: bill::Source::all(&run), run })
    }

    /// The run of a file, whose texts are made tame while it is read.
    pub fn read(path: &Path) -> Result<Self, RunFileError> {
        let run = run_file::read(path)?;
        let sources = bill::Source::all(&run);
        // What was merged is shown as one.
        Ok(Report { run: RunFile { runs: Vec::new(), ..run }, sources })
    }

    /// Whether there is nothing to show: neither a subject nor a trace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.run.is_empty()
    }

    /// Whether there is a subject that a bill can be made for.
    #[must_use]
    pub fn has_bill(&self) -> bool {
        bill::agreed(&self.run).next().is_some()
    }

    /// One report as text.
    pub fn render(&self, registry: &Registry, format: Format) -> Result<String, ReportError> {
        let mut text = Vec::new();
        self.write(registry, format, &mut text)?;
        String::from_utf8(text).map_err(|error| io::Error::other(error).into())
    }

    /// Writes one report piece by piece: it may be larger than the run. Laws are named after the registry; what it does
    /// not know is told in the run file's own words.
    pub fn write(&self, registry: &Registry, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Html => html::html(&self.run, out),
            Format::Junit => junit::junit(&self.run, out),
            Format::Sarif => sarif::sarif(&self.run, registry, out),
            Format::Md => out.write_all(markdown::markdown(&self.run).as_bytes()),
            Format::Bill => out.write_all(bill::bills(&self.run, &self.sources, registry).as_bytes()),
        }
    }
}

/// Whether a finding is news: of a sound subject, and not accepted.
fn is_unexpected(subject: &SubjectRun, finding: &Finding) -> bool {
    let is_accepted = finding.known.is_some() || matches!(finding.status, Some(Status::StillFailing));
    !is_accepted && (subject.is_sound() || finding.status == Some(Status::New))
}

/// Whether a subject is as it should be.
fn is_as_expected(subject: &SubjectRun) -> bool {
    subject.shortfalls.is_empty() && subject.verdict.is_as_expected()
}

/// The command that shows a finding again.
fn replay_command(subject: &SubjectRun, finding: &Finding) -> String {
    let (trace, subject) = (as_argument(&finding.trace), as_argument(&subject.name()));
    format!("{} replay {trace} --subject {subject}", program::called())
}
