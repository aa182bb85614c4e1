//! `memtwin regress`: committed traces on every subject that they apply to, beside a baseline.

use super::fuzz::default_workers;
use super::known::{self, KnownOptions};
use super::screen::{self, BAD, BOLD, DIM, GOOD, Screen};
use super::{Context, Exit, Failed};
use crate::files::write_atomically;
use crate::program;
use crate::regress::{self, Event, Plan};
use crate::run_file::{self, Finding, RunFile, Status, SubjectRun, TraceRun};
use crate::text::line;
use clap::Args;
use std::path::{Path, PathBuf};

/// The baseline that is used if it is there and no other one is named.
const COMMITTED: &str = "reports/baseline.json";
/// Where traces are committed.
const USUAL_PLACES: [&str; 2] = ["crashes", "corpus"];
/// The traces that are named for each finding.
const SHOWN_TRACES: usize = 3;
/// The run file below `--out`.
const RUN_FILE: &str = "regress.json";

#[derive(Debug, Args)]
pub struct Regress {
    /// Trace files, or folders, of which *.jsonl and seed-* are run; crashes and corpus, as far as they are there, if
    /// left out
    #[arg(value_name = "TRACE|DIR", default_values_os_t = usual_places())]
    places: Vec<PathBuf>,
    /// An earlier run file to compare with; reports/baseline.json, where there is one, if left out
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    known: KnownOptions,
    /// Worker processes at a time; one for each processor if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Where the run file and the shrunk traces of new failures go
    #[arg(long, value_name = "DIR", default_value = "target/memtwin")]
    out: PathBuf,
    /// Print the run file (schema memtwin-run/1) on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
}

impl Regress {
    pub(super) fn traces(&self) -> &[PathBuf] {
        &self.places
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        if self.places.is_empty() {
            return Err(
                "there is no folder crashes or corpus here: name the traces to run, or `accept` a finding".into()
            );
        }
        let committed = Path::new(COMMITTED);
        let baseline = match &self.baseline {
            Some(file) => Some(run_file::read(file)?),
            None if committed.exists() => Some(run_file::read(committed)?),
            None => None,
        };
        let known = self.known.load()?;
        let plan = Plan {
            places: self.places.clone(),
            baseline: baseline.as_ref(),
            known: &known,
            workers: self.workers.map_or_else(default_workers, usize::from),
            out: self.out.clone(),
        };
        let screen = Screen::new(self.json);
        let listener = |event: Event<'_>| match event {
            Event::Progress { done, all } => screen.progress_of(done, all, "runs"),
            Event::Shrinking { target, signature } => {
                screen.progress(&format!("shrinking {signature} on {target}"));
            }
        };
        let run = regress::run(context.registry, &plan, &context.interrupted, &listener);
        screen.finish();
        let Some(run) = run? else {
            screen.line("interrupted: nothing is written but the traces of new failures")?;
            return Ok(Exit::Interrupted);
        };
        let file = self.out.join(RUN_FILE);
        let text = serde_json::to_string_pretty(&run)? + "\n";
        write_atomically(&file, text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        show(&screen, &run)?;
        known::show(&screen, &known, &run)?;
        conclude(&screen, &run)?;
        if context.has_verb("report") {
            screen.line(&format!("Next: {} report {} --to html", program::called(), screen::path(&file)))?;
        }
        if self.json {
            screen::print_json(&run)?;
        }
        let is_judged = |trace: &TraceRun| !matches!(trace.status, Status::Skipped | Status::Gone);
        if !run.traces.iter().any(is_judged) && run.totals.is_as_expected() {
            return Err("nothing was judged: no trace applies to a subject".into());
        }
        Ok(if run.totals.is_as_expected() { Exit::Clean } else { Exit::Finding })
    }
}

fn usual_places() -> Vec<PathBuf> {
    USUAL_PLACES.iter().map(PathBuf::from).filter(|place| place.exists()).collect()
}

/// A line for each new or flaky finding, and for each trace that is neither as expected nor part of one.
fn show(screen: &Screen, run: &RunFile) -> std::io::Result<()> {
    for (subject, finding) in run.findings() {
        if matches!(finding.status, Some(Status::New | Status::Flaky)) {
            show_finding(screen, run, subject, finding)?;
        }
    }
    for trace in &run.traces {
        let is_told = matches!(trace.status, Status::New | Status::Flaky) && trace.seen.is_some();
        if !is_told && (trace.unexpected || matches!(trace.status, Status::Fixed | Status::Gone)) {
            show_trace(screen, trace)?;
        }
    }
    Ok(())
}

fn show_finding(screen: &Screen, run: &RunFile, subject: &SubjectRun, finding: &Finding) -> std::io::Result<()> {
    let name = subject.name();
    let is_shown = |trace: &&TraceRun| trace.target == name && trace.seen.as_ref() == Some(&finding.signature);
    let traces: Vec<_> = run.traces.iter().filter(is_shown).collect();
    let status = finding.status.map_or("", Status::words);
    let head = format!("{name} {}", finding.signature);
    screen.line(&format!("{BAD}{status:<13}{BAD:#} {} {DIM}{}{DIM:#}", line(&head), line(&finding.trace)))?;
    for trace in traces.iter().take(SHOWN_TRACES) {
        screen.line(&format!("              {DIM}shown by {}{DIM:#}", line(&trace.trace)))?;
    }
    if SHOWN_TRACES < traces.len() {
        screen.line(&format!("              {DIM}and by {} more traces{DIM:#}", traces.len() - SHOWN_TRACES))?;
    }
    Ok(())
}

fn show_trace(screen: &Screen, trace: &TraceRun) -> std::io::Result<()> {
    let style = if trace.unexpected { BAD } else { GOOD };
    let mut words = format!("{} on {}", trace.trace, trace.target);
    if let Some(expected) = &trace.expected {
        words.push_str(&format!(": expected {expected}, saw {}", trace.seen.as_deref().unwrap_or("agreement")));
    }
    if let Some(reason) = &trace.reason {
        words.push_str(&format!(": {reason}"));
    }
    screen.line(&format!("{style}{:<13}{style:#} {}", trace.status.words(), line(&words)))
}

fn conclude(screen: &Screen, run: &RunFile) -> std::io::Result<()> {
    let totals = &run.totals;
    let counted = Status::ALL.iter().rev().filter_map(|status| Some((totals.statuses.get(status)?, status.words())));
    let counted: Vec<_> = counted.map(|(count, words)| format!("{count} {words}")).collect();
    let style = if totals.is_as_expected() { GOOD } else { BAD };
    screen.line(&format!(
        "{BOLD}{style}{}{style:#}{BOLD:#} of {} runs of traces on {} subjects",
        counted.join(", "),
        run.traces.len(),
        totals.subjects
    ))
}
