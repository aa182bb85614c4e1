//! `memtwin exhaustive`: every short trace over a small set of operands.

use super::screen::{self, BAD, BOLD, DIM, GOOD, Screen, count, time};
use super::{Context, Exit, Failed, select};
use crate::campaign::{Exhausted, exhaust};
use crate::isolate::Isolation;
use crate::target::Target;
use crate::text::line;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

#[derive(Debug, Args)]
pub struct Exhaustive {
    /// What to run: `component` or `component/subject`; every component if left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The most ops of a trace after its opening; each one more takes some forty times as long
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..=16))]
    depth: u32,
    /// Run Broken subjects too: many, not all, show their defect in few ops
    #[arg(long)]
    broken: bool,
    /// Where findings are filed
    #[arg(long, value_name = "DIR", default_value = "target/memtwin")]
    out: PathBuf,
}

impl Exhaustive {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let registry = context.registry;
        let screen = Screen::new(false);
        let mut isolation = Isolation::start(Arc::clone(&context.interrupted))?;
        let mut is_clean = true;
        let (mut sound, mut broken, mut caught, mut not_judged, mut traces) = (0_usize, 0_usize, 0_usize, 0_usize, 0);
        let mut why = None;
        for index in select::targets(registry, &self.targets, self.broken)? {
            let Some(target) = registry.get(index) else { continue };
            let started = Instant::now();
            let done = exhaust(&mut isolation, registry, index, self.depth, &self.out)?;
            if context.interrupted.load(Ordering::Relaxed) {
                screen.line("interrupted: what was found until then is saved")?;
                return Ok(Exit::Interrupted);
            }
            show(&screen, target, &done, started.elapsed().as_secs_f64())?;
            traces += done.counts.traces;
            not_judged += done.not_judged.len();
            why = why.or_else(|| done.shortfalls.first().cloned());
            if target.is_sound() {
                sound += 1;
                is_clean &= is_as_expected(target, &done);
            } else {
                broken += 1;
                caught += usize::from(!done.found.is_empty());
            }
        }
        if traces == 0 && not_judged == 0 {
            return Err(format!("nothing ran: {}", why.unwrap_or_default()).into());
        }
        let style = if is_clean { GOOD } else { BAD };
        let verdict = if is_clean { "all sound subjects agree" } else { "not all sound subjects agree" };
        let mut parts = Vec::new();
        if 0 < sound {
            parts.push(format!("{BOLD}{style}{verdict}{style:#}{BOLD:#}"));
        }
        if 0 < broken {
            parts.push(format!("{caught} of {broken} known defects show"));
        }
        let depth = self.depth;
        screen.line(&format!("\n{}: {traces} traces of at most {depth} ops", parts.join(", ")))?;
        Ok(match (is_clean, not_judged) {
            (false, _) => Exit::Finding,
            (true, 0) => Exit::Clean,
            (true, _) => return Err(super::left_unjudged(not_judged as u64)),
        })
    }
}

fn is_as_expected(target: &dyn Target, done: &Exhausted) -> bool {
    done.found.is_empty() == target.is_sound()
        && done.unconfirmed == 0
        && (!target.is_sound() || done.shortfalls.is_empty())
}

fn show(screen: &Screen, target: &'static dyn Target, done: &Exhausted, seconds: f64) -> std::io::Result<()> {
    let (mark, style) = match (is_as_expected(target, done), target.is_sound()) {
        (true, _) => ("✓", GOOD),
        (false, true) => ("✗", BAD),
        (false, false) => ("·", DIM),
    };
    let counts = &done.counts;
    let ran = if done.is_complete { String::new() } else { format!(" of {}", done.traces) };
    let outcomes = counts.outcomes.iter().filter(|&&count| count != 0).count();
    screen.line(&format!(
        "{style}{mark}{style:#} {:<30} {}{ran} traces, {} ops {DIM}({}, {outcomes} kinds of outcomes, {} moot){DIM:#}",
        target.name(),
        counts.traces,
        count(counts.ops),
        time(seconds),
        counts.moot + counts.unsupported,
    ))?;
    for (signature, filed) in &done.found {
        let ops = filed.ops;
        screen.line(&format!(
            "    {signature} {DIM}{ops} op{} {}{DIM:#}",
            if ops == 1 { "" } else { "s" },
            screen::path(&filed.path)
        ))?;
    }
    for what in &done.not_judged {
        screen.line(&format!("    not judged: {}", line(what)))?;
    }
    if done.found.is_empty() {
        done.shortfalls.iter().try_for_each(|shortfall| screen.line(&format!("    not enough: {shortfall}")))?;
    }
    if 0 < done.unconfirmed {
        screen.line(&format!("    {} failures did not repeat on a fresh subject", done.unconfirmed))?;
    }
    Ok(())
}
