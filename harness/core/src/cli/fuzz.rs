//! `memtwin fuzz`: a campaign on some targets.

use super::known::{self, KnownOptions};
use super::screen::{self, BAD, BOLD, DIM, GOOD, Screen, count, time};
use super::{Context, Exit, Failed, select};
use crate::accepted::Accepted;
use crate::campaign::run_file::{RunFile, SubjectRun, Verdict};
use crate::campaign::{Budget, Campaign, Damage, Event, Plan, Shard};
use crate::engines::Engine;
use crate::finding::{Ending, FaultClass, Signature};
use crate::isolate::Isolation;
use crate::library;
use crate::lockstep::Audits;
use crate::program::{self, as_argument};
use crate::run_file::known::KnownFindings;
use crate::run_file::stories;
use crate::text::line;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Up to so few ops a trace is as small as anybody needs it.
const SMALL_OPS: usize = 4;
/// How many lines of a log are named that do not count.
const SHOWN_LINES: usize = 3;

#[derive(Debug, Args)]
pub struct Fuzz {
    /// What to run: `component` or `component/subject`; every component if left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Run this long, e.g. 90s, 5m, 1h; 0 means until Ctrl-C
    #[arg(long, value_name = "D", value_parser = parse_time, default_value = "60s", conflicts_with = "ops")]
    time: Duration,
    /// Run this many ops on each sound subject, fewer if it keeps failing, and at most on each Broken one, e.g. 200M:
    /// same seed, same findings
    #[arg(long, value_name = "N", value_parser = parse_count)]
    ops: Option<u64>,
    /// The seed; drawn and printed if left out
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Worker processes at a time; one for each processor if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Where findings are filed
    #[arg(long, value_name = "DIR", default_value = "target/memtwin")]
    out: PathBuf,
    /// Run Broken subjects too: each must be caught
    #[arg(long)]
    broken: bool,
    /// Audit the whole state after every op: slower, and state laws are judged where they break
    #[arg(long)]
    strict: bool,
    /// Where the traces come from
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// A folder of corpora, one a component: start from what is there, and add what is kept
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Do one part of the campaign, such as 2/5: the second of five machines; give all the same seed
    #[arg(long, value_name = "I/N", requires = "seed", default_value = "1/1")]
    shard: Shard,
    /// Take up the campaign in --out that was killed or interrupted; what it was asked to do is known
    #[arg(long, conflicts_with_all = ["targets", "time", "ops", "seed", "broken", "strict", "engine", "corpus", "shard"])]
    resume: bool,
    #[command(flatten)]
    known: KnownOptions,
    /// Print the run file (schema memtwin-run/1) on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
}

impl Fuzz {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let screen = Screen::new(self.json);
        let known = self.known.load()?;
        let campaign = self.campaign(context, &known)?;
        let plan = campaign.plan();
        let (name, subjects) = (program::name(), plan.targets.len());
        screen.line(&format!("{BOLD}{name} fuzz{BOLD:#} {subjects} subjects, seed {}", plan.seed))?;
        if self.resume {
            screen.line(&format!("taken up after {} epochs", campaign.epochs_done()))?;
            let Damage { damaged, doubled } = campaign.damage();
            name_lines(&screen, damaged, "is damaged: what it said is run again")?;
            name_lines(&screen, doubled, "repeats an earlier one and does not count")?;
        }
        let mut run = run_campaign(context, campaign, &known, &screen)?;
        let is_unjudged = run.subjects.iter().any(|subject| 0 < subject.not_judged);
        if run.totals.traces == 0 && !is_unjudged && !context.interrupted.load(Ordering::Relaxed) {
            return Err("nothing ran: the time was up before the first trace; give more of it".into());
        }
        if self.json {
            let workers = self.workers.map_or_else(default_workers, usize::from);
            stories::add(&mut run, context.registry, workers, &context.interrupted, |_| true)?;
            screen::print_json(&run)?;
        }
        conclude(context, &screen, &run)
    }

    fn campaign<'a>(&self, context: &Context<'a>, known: &KnownFindings) -> Result<Campaign<'a>, Failed> {
        let workers = self.workers.map_or_else(default_workers, usize::from);
        if self.resume {
            return Ok(Campaign::take_up(context.registry, &self.out, workers)?);
        }
        let targets = select::targets(context.registry, &self.targets, self.broken)?;
        let budget = match self.ops {
            Some(ops) => Budget::Ops(ops),
            None if self.time.is_zero() => Budget::Endless,
            None => Budget::Time(self.time),
        };
        let plan = Plan {
            shard: self.shard,
            workers,
            strict: self.strict,
            engine: self.engine,
            accepted: accepted(context, known, &targets),
            corpus: self.corpus.clone(),
            log: true,
            ..Plan::new(targets, self.seed.unwrap_or_else(crate::random::random_seed), budget, &self.out)
        };
        Ok(Campaign::begin(context.registry, plan)?)
    }
}

/// What traces of these targets go on behind.
pub(super) fn accepted(context: &Context<'_>, known: &KnownFindings, targets: &[usize]) -> BTreeMap<usize, Accepted> {
    let all = targets.iter().map(|&index| (index, known.accepted(context.registry, index)));
    all.filter(|(_, accepted)| !accepted.is_empty()).collect()
}

/// Names the first few of these lines of a log.
fn name_lines(screen: &Screen, lines: &[usize], what: &str) -> std::io::Result<()> {
    for line in lines.iter().take(SHOWN_LINES) {
        screen.line(&format!("line {line} of the log {what}"))?;
    }
    match lines.len().saturating_sub(SHOWN_LINES) {
        0 => Ok(()),
        more => screen.line(&format!("and so with {more} more")),
    }
}

/// One worker for each processor.
pub(super) fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs a campaign and shows what happens. Findings that are accepted are marked so.
pub(super) fn run_campaign(
    context: &Context<'_>,
    campaign: Campaign<'_>,
    known: &KnownFindings,
    screen: &Screen,
) -> Result<RunFile, Failed> {
    let started = Instant::now();
    let ops_so_far = AtomicU64::new(0);
    // Each epoch finds anew what an earlier one found.
    let times_found: Mutex<BTreeMap<(String, Signature), u64>> = Mutex::default();
    let listener = |event: Event<'_>| match event {
        Event::Found { target, signature, trace, ops, executions, seconds, earlier_traces } => {
            let Some(target) = context.registry.get(target) else { return };
            let name = target.name();
            let mut times_found = times_found.lock().unwrap_or_else(PoisonError::into_inner);
            let times = times_found.entry((name.clone(), signature.clone())).or_default();
            *times += 1;
            if 1 < *times {
                return;
            }
            let (mark, style) = match (target.is_sound(), known.reason(&name, signature.as_str())) {
                (true, None) => ("✗", BAD),
                (true, Some(_)) => ("≈", DIM),
                (false, _) => ("✓", GOOD),
            };
            let found = signature.as_str().split_once('/').map_or("", |(_, rest)| rest);
            let _ = screen.line(&format!(
                "{style}{mark}{style:#} {name:<30} {:>7} {DIM}trace {executions:<6}{DIM:#} {found} {DIM}{ops} op{} \
                 {}{DIM:#}",
                time(seconds),
                if ops == 1 { "" } else { "s" },
                screen::path(trace)
            ));
            let is_hang = signature.as_str().split('/').nth(1) == Some(FaultClass::Hang.name());
            if is_hang && SMALL_OPS < ops {
                let (program, path) = (program::called(), as_argument(&screen::path(trace)));
                let command = format!("{program} shrink {path} -o FILE{}", library::options(target.origin()));
                let _ = screen.line(&format!(
                    "    each run of a hang takes a second, so it may become smaller yet: {}",
                    line(&command)
                ));
            }
            if 0 < earlier_traces {
                let (traces, are) = if earlier_traces == 1 { ("trace", "it is") } else { ("traces", "they are") };
                let _ = screen.line(&format!(
                    "    needs the state that {earlier_traces} earlier {traces} left: {are} part of the trace"
                ));
            }
        }
        Event::NotJudged { target, trace, why } => {
            let name = context.registry.get(target).map(crate::target::Target::name).unwrap_or_default();
            let _ = screen.line(&format!("{BAD}?{BAD:#} {name:<30} not judged: {why}; {}", trace.display()));
        }
        Event::Opened { target, kept } => {
            let name = context.registry.get(target).map(crate::target::Target::name).unwrap_or_default();
            let _ = screen.line(&format!("  {name:<30} starts from {kept} traces of the corpus"));
        }
        Event::Progress { target, ops } => {
            let total = ops_so_far.fetch_add(ops, Ordering::Relaxed) + ops;
            let Some(target) = context.registry.get(target) else { return };
            let seconds = started.elapsed().as_secs_f64();
            let rate_words = count(rate(total, seconds));
            screen.progress(&format!("{} {} ops, {rate_words} ops/s, {}", time(seconds), count(total), target.name()));
        }
    };
    let run = campaign.run(&context.interrupted, &listener);
    screen.finish();
    let mut run = run?;
    let times_found = times_found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for ((name, signature), times) in times_found.iter().filter(|(_, times)| 1 < **times) {
        let found = signature.as_str().split_once('/').map_or("", |(_, rest)| rest);
        screen.line(&format!("  {name:<30} {found} was found in {times} epochs"))?;
    }
    known.mark(&mut run);
    known::show(screen, known, &run)?;
    Ok(run)
}

/// The summary, and what it means for the exit code.
pub(super) fn conclude(context: &Context<'_>, screen: &Screen, run: &RunFile) -> Result<Exit, Failed> {
    for subject in run.subjects.iter().filter(|subject| subject.is_sound() || subject.verdict == Verdict::Missed) {
        summarise(screen, subject)?;
        if subject.ops == 0 && 0 < subject.unsupported {
            tell_why_unserved(context, screen, subject)?;
        }
    }
    let totals = &run.totals;
    let broken = totals.caught + totals.missed;
    let sound = totals.agreed + totals.known + totals.diverged;
    let mut parts = Vec::new();
    if 0 < broken {
        parts.push(format!("{} of {broken} known defects caught", totals.caught));
    }
    if 0 < sound {
        let enough = |subject: &&SubjectRun| subject.verdict == Verdict::Agreed && subject.shortfalls.is_empty();
        let agreed = run.subjects.iter().filter(enough).count();
        parts.push(format!("{agreed} of {sound} sound subjects agree with their model"));
    }
    if 0 < totals.known {
        parts.push(format!("{} with known findings only", totals.known));
    }
    parts.push(format!("{} ops", count(totals.ops)));
    let is_clean = totals.is_as_expected();
    let style = if is_clean { GOOD } else { BAD };
    screen.line(&format!("\n{style}{}{style:#}", parts.join(", ")))?;
    if context.interrupted.load(Ordering::Relaxed) {
        screen.line("interrupted: what was found until then is saved")?;
        return Ok(Exit::Interrupted);
    }
    let worst = run.subjects.iter().filter(|subject| subject.verdict == Verdict::Diverged);
    let shown = worst.chain(run.subjects.iter().filter(|subject| subject.verdict == Verdict::Caught));
    let mut shown = shown.filter_map(|subject| Some((subject, subject.findings.first()?)));
    if let Some((subject, finding)) = shown.next() {
        let index = context.registry.index_of(&subject.component, &subject.subject);
        let library = library::options(index.and_then(|index| context.registry.get(index)?.origin()));
        let command = format!("{} explain {}{library}", program::called(), as_argument(&finding.trace));
        screen.line(&format!("Next: {}", line(&command)))?;
    }
    let not_judged: u64 = run.subjects.iter().map(|subject| subject.not_judged).sum();
    Ok(match (is_clean, not_judged) {
        (false, _) => Exit::Finding,
        (true, 0) => Exit::Clean,
        (true, _) => return Err(super::left_unjudged(not_judged)),
    })
}

fn summarise(screen: &Screen, subject: &SubjectRun) -> std::io::Result<()> {
    let name = format!("{}/{}", subject.component, subject.subject);
    let rate_words = count(rate(subject.ops, subject.seconds));
    let is_enough = subject.shortfalls.is_empty();
    let (mark, style) = if subject.verdict.is_as_expected() && is_enough { ("✓", GOOD) } else { ("✗", BAD) };
    let is_proven = subject.verdict != Verdict::Agreed || is_enough;
    let verdict = if is_proven { subject.verdict.word() } else { "not proven" };
    screen.line(&format!(
        "{style}{mark}{style:#} {name:<30} {} over {} ops in {} traces {DIM}({rate_words} ops/s a worker, {} \
         features, {} moot){DIM:#}",
        verdict,
        count(subject.ops),
        count(subject.traces),
        subject.features,
        subject.moot + subject.unsupported,
    ))?;
    for known in &subject.known_steps {
        screen.line(&format!("    went on behind {} steps of {}", count(known.steps), line(&known.signature)))?;
    }
    for shape in subject.findings.iter().flat_map(|finding| &finding.shapes) {
        screen.line(&format!("    another shape: {}", line(shape)))?;
    }
    if let Some(rebuilt) = subject.rebuilt.filter(|rebuilt| 0 < *rebuilt) {
        let (all, some) = (count(subject.traces), count(rebuilt));
        let is_each = rebuilt.saturating_add(subject.unsupported) == subject.traces;
        let how_often = if is_each { format!("for each of {some}") } else { format!("after {some} of {all}") };
        screen.line(&format!("    rebuilt {how_often} traces: with a reset it would be faster"))?;
    }
    for shortfall in &subject.shortfalls {
        screen.line(&format!("    not enough: {shortfall}"))?;
    }
    Ok(())
}

/// Asks a subject that served nothing once more: it knows why.
fn tell_why_unserved(context: &Context<'_>, screen: &Screen, subject: &SubjectRun) -> Result<(), Failed> {
    let Some(index) = context.registry.index_of(&subject.component, &subject.subject) else { return Ok(()) };
    let Some(target) = context.registry.get(index) else { return Ok(()) };
    let mut wire = Vec::new();
    target.traces().write(0, 0, &mut wire);
    let mut isolation = Isolation::start(Arc::clone(&context.interrupted))?;
    if let Some(Ending::Unsupported(reason)) = isolation.replay(index, &wire, Audits::Full)? {
        screen.line(&format!("    not served: {}", line(&reason)))?;
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation)] // a cast from a float saturates
fn rate(ops: u64, seconds: f64) -> u64 {
    (ops as f64 / seconds.max(1e-9)) as u64
}

/// A time such as 90, 90s, 5m or 1h.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("a time is a number with ms, s, m, h or d".to_owned()),
    };
    let seconds = number.parse::<f64>().map_err(|_| "a time is a number with ms, s, m, h or d".to_owned())? * factor;
    Duration::try_from_secs_f64(seconds).map_err(|_| "the time is too long".to_owned())
}

/// A count such as 5000, 10k, 200M or 1G.
#[allow(clippy::cast_possible_truncation)] // in range, and a cast from a float saturates
fn parse_count(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        _ => return Err("a count is a number, or one with k, M or G".to_owned()),
    };
    let value = number.parse::<f64>().map_err(|_| "a count is a number, or one with k, M or G".to_owned())? * factor;
    if (1.0..=9e15).contains(&value) { Ok(value as u64) } else { Err("the count is out of range".to_owned()) }
}

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()))
}
