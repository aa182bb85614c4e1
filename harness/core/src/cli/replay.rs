//! `memtwin replay`: traces of files and folders, a table of pass and fail.

use super::screen::{self, BAD, DIM, GOOD, remark};
use super::{Context, Exit, Failed, select};
use crate::accepted::Accepted;
use crate::finding::Ending;
use crate::isolate::{Isolation, IsolationError};
use crate::lockstep::{Audits, COUNTS, Journal};
use crate::target::Target;
use crate::text::line;
use crate::trace_files::{Loaded, find_traces, load};
use crate::vacuity;
use clap::Args;
use memtwin_models::StateMap;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

#[derive(Debug, Args)]
pub struct Replay {
    /// Trace files, or folders of them
    #[arg(value_name = "TRACE|DIR", required = true)]
    traces: Vec<PathBuf>,
    /// Run on this subject instead of the one a trace names; a trace that expects a finding on its own must agree on
    /// others
    #[arg(long, value_name = "S")]
    subject: Option<String>,
    /// Run in this process, for a debugger, without the sandbox; a crash ends memtwin
    #[arg(long)]
    in_process: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A trace on a subject.
struct Row {
    trace: String,
    target: String,
    verdict: Verdict,
    expected: String,
    seen: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed,
    /// Nothing was judged, or not much: the setup is not served, or most ops are moot or skipped.
    Skipped,
    /// Something outside of memtwin ended its workers, or it took too long.
    NotJudged,
}

impl Replay {
    pub(super) fn traces(&self) -> &[PathBuf] {
        &self.traces
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let mut files = Vec::new();
        for path in &self.traces {
            files.extend(find_traces(path)?);
        }
        if self.in_process {
            remark("subjects run in this process, without the sandbox");
        }
        let mut isolation =
            if self.in_process { None } else { Some(Isolation::start(Arc::clone(&context.interrupted))?) };
        let mut rows = Vec::new();
        for file in &files {
            let loaded = load(context.registry, file)?;
            for index in self.targets(context, &loaded)? {
                let Some(row) = replay(context, isolation.as_mut(), index, &loaded)? else {
                    return Ok(Exit::Interrupted);
                };
                if !self.json {
                    show(&row)?;
                }
                rows.push(row);
            }
        }
        let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        let (passed, failed, skipped) = (count(Verdict::Passed), count(Verdict::Failed), count(Verdict::Skipped));
        let not_judged = count(Verdict::NotJudged);
        if self.json {
            let rows = rows.iter().map(|row| {
                json!({
                    "trace": row.trace, "target": row.target, "verdict": row.verdict,
                    "expected": row.expected, "seen": row.seen,
                })
            });
            let object = json!({
                "schema": "memtwin-replay/1", "replays": rows.collect::<Vec<_>>(),
                "passed": passed, "failed": failed, "skipped": skipped, "not_judged": not_judged,
            });
            screen::print_json(&object)?;
        } else {
            let style = if failed + not_judged == 0 { GOOD } else { BAD };
            let left = if not_judged == 0 { String::new() } else { format!(", {not_judged} not judged") };
            writeln!(anstream::stdout(), "{style}{passed} passed, {failed} failed, {skipped} skipped{left}{style:#}")?;
        }
        if passed + failed + not_judged == 0 {
            return Err(
                "nothing was judged: no subject serves these traces, or most of their ops are moot or skipped".into()
            );
        }
        Ok(match (failed, not_judged) {
            (0, 0) => Exit::Clean,
            (0, _) => return Err(super::left_unjudged(not_judged as u64)),
            (_, _) => Exit::Finding,
        })
    }

    /// The subject asked for, or the one the trace names, or every sound one.
    fn targets(&self, context: &Context<'_>, loaded: &Loaded) -> Result<Vec<usize>, Failed> {
        let component = loaded.dialect.name();
        match self.subject.as_ref().or(loaded.header.subject.as_ref()) {
            Some(subject) => Ok(vec![select::target(context.registry, component, subject)?]),
            None => select::targets(context.registry, &[component.to_owned()], false),
        }
    }
}

fn show(row: &Row) -> std::io::Result<()> {
    let target = &row.target;
    let [trace, expected, seen] = [&row.trace, &row.expected, &row.seen].map(|text| line(text));
    let mut out = anstream::stdout();
    match row.verdict {
        Verdict::Passed => writeln!(out, "{GOOD}pass{GOOD:#} {trace} on {target} {DIM}{seen}{DIM:#}"),
        Verdict::Skipped => writeln!(out, "{DIM}skip {trace} on {target}: {seen}{DIM:#}"),
        Verdict::NotJudged => writeln!(out, "{BAD}?{BAD:#}    {trace} on {target} was not judged: {seen}"),
        Verdict::Failed => writeln!(out, "{BAD}FAIL{BAD:#} {trace} on {target}: expected {expected}, saw {seen}"),
    }
}

/// Runs one trace on one target; `None` when interrupted.
fn replay(
    context: &Context<'_>,
    isolation: Option<&mut Isolation>,
    index: usize,
    loaded: &Loaded,
) -> Result<Option<Row>, Failed> {
    let Some(target) = context.registry.get(index) else { return Err("no such target".into()) };
    let accepted = context.registry.accepted(index, &loaded.header);
    let (ending, skipped) = match isolation {
        Some(isolation) => {
            isolation.accept(&accepted);
            match isolation.replay(index, &loaded.wire, Audits::Full) {
                Ok(Some(ending)) => (ending, isolation.skipped()),
                Ok(None) => return Ok(None),
                Err(IsolationError::NotJudged { why }) => return Ok(Some(not_judged(target, loaded, why))),
                Err(error) => return Err(error.into()),
            }
        }
        None => run_here(target, &loaded.wire, accepted),
    };
    let is_own = loaded.header.subject.as_deref() == Some(target.subject());
    let expected = loaded.header.expect.clone().filter(|_| is_own);
    let seen = match &ending {
        Ending::Agreed => None,
        Ending::Moot { op, reason } => Some(format!("moot from op {op} on: {reason}")),
        Ending::Unsupported(reason) => Some(format!("unsupported: {reason}")),
        Ending::Failed(failure) => Some(loaded.dialect.signature(&loaded.wire, failure).to_string()),
    };
    let as_expected = match (&ending, &expected) {
        (Ending::Failed(_), Some(expected)) => seen.as_ref() == Some(expected),
        (Ending::Failed(_), None) => false,
        (Ending::Agreed | Ending::Moot { .. } | Ending::Unsupported(_), expected) => expected.is_none(),
    };
    let ops = loaded.dialect.op_count(&loaded.wire) as u64;
    let (verdict, seen) = match (as_expected, vacuity::of_one(&ending, ops, skipped)) {
        (false, _) => (Verdict::Failed, seen),
        (true, Some(why)) => (Verdict::Skipped, Some(why)),
        (true, None) => (Verdict::Passed, seen),
    };
    let agreement = || "agreement".to_owned();
    Ok(Some(Row {
        trace: loaded.path.display().to_string(),
        target: target.name(),
        verdict,
        expected: expected.unwrap_or_else(agreement),
        seen: seen.unwrap_or_else(agreement),
    }))
}

fn not_judged(target: &dyn Target, loaded: &Loaded, why: String) -> Row {
    Row {
        trace: loaded.path.display().to_string(),
        target: target.name(),
        verdict: Verdict::NotJudged,
        expected: loaded.header.expect.clone().unwrap_or_else(|| "agreement".to_owned()),
        seen: why,
    }
}

/// Runs one trace in this process, as under a debugger; also says how many ops were skipped.
fn run_here(target: &'static dyn Target, wire: &[u8], accepted: Accepted) -> (Ending, u64) {
    let step = AtomicU32::new(0);
    let (mut counts, mut features) = ([0; COUNTS], [0; StateMap::SIZE]);
    let mut journal = Journal { step: &step, counts: &mut counts, features: Some(&mut features), ops: 0 };
    let mut runner = target.runner();
    *runner.accepted() = accepted;
    let ended = runner.run(wire, Audits::Full, &mut journal);
    runner.finish(&mut journal);
    (ended.into(), vacuity::skipped(target.dialect().outcome_classes(), &counts))
}
