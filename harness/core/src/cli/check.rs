//! `memtwin` or `memtwin check`: every known defect must be caught, then every sound subject must agree.

use super::fuzz::{accepted, conclude, default_workers, parse_time, run_campaign};
use super::known::KnownOptions;
use super::screen::{BOLD, DIM, Screen};
use super::{Context, Exit, Failed};
use crate::campaign::run_file::RunFile;
use crate::campaign::{Budget, Campaign, Plan};
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The seed of a check: always the same, so that two checks of one build differ in their times only.
const SEED: u64 = 1;
/// A Broken subject that is not caught within this many ops is missed.
const BROKEN_OPS: u64 = 40_000_000;

#[derive(Debug, Args)]
pub struct Check {
    /// About how long it takes
    #[arg(long, value_name = "D", value_parser = parse_time, default_value = "20s")]
    time: Duration,
    /// Where findings are filed
    #[arg(long, value_name = "DIR", default_value = "target/memtwin")]
    out: PathBuf,
    #[command(flatten)]
    known: KnownOptions,
}

impl Default for Check {
    fn default() -> Self {
        Check { time: Duration::from_secs(20), out: PathBuf::from("target/memtwin"), known: KnownOptions::default() }
    }
}

impl Check {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let started = Instant::now();
        let known = self.known.load()?;
        let registry = context.registry;
        let screen = Screen::new(false);
        let libraries = registry.libraries();
        let of_health = |sound: bool| {
            // Whoever names a library means it alone.
            let is_meant = |index: usize| libraries.is_empty() || libraries.contains(&index);
            let targets = registry.targets().enumerate();
            let targets = targets.filter(|(index, target)| target.is_sound() == sound && is_meant(*index));
            targets.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let components: Vec<_> = registry.dialects().map(crate::target::Dialect::name).collect();
        screen.line(&format!(
            "{BOLD}memtwin {}{BOLD:#}: memory components beside their reference models ({})\n",
            env!("CARGO_PKG_VERSION"),
            components.join(", ")
        ))?;
        let begin = |targets: Vec<usize>, budget: Budget| {
            let accepted = accepted(context, &known, &targets);
            let plan = Plan { workers: default_workers(), accepted, ..Plan::new(targets, SEED, budget, &self.out) };
            Campaign::begin(registry, plan)
        };
        let broken = of_health(false);
        let mut run: Option<RunFile> = None;
        if !broken.is_empty() {
            screen.line(&format!(
                "{} Broken subject{}, each with a known defect. Memtwin must catch every one:\n{DIM}  subject                           time to catch       what was found, in how many ops, where{DIM:#}",
                broken.len(),
                if broken.len() == 1 { "" } else { "s" }
            ))?;
            run = Some(run_campaign(context, begin(broken, Budget::Ops(BROKEN_OPS))?, &known, &screen)?);
        }
        let sound = of_health(true);
        if !sound.is_empty() && !context.interrupted.load(Ordering::Relaxed) {
            let left = self.time.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
            screen.line(&format!(
                "\n{} sound subjects, run beside the model for {:.0} s. Each must agree at every step:",
                sound.len(),
                left.as_secs_f64()
            ))?;
            let second = run_campaign(context, begin(sound, Budget::Time(left))?, &known, &screen)?;
            run = Some(match run {
                Some(first) => first.followed_by(second),
                None => second,
            });
        }
        match run {
            Some(run) => conclude(context, &screen, &run),
            None => Err("this program has no subjects".into()),
        }
    }
}
