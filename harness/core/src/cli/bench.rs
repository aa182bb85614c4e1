//! `memtwin bench`: how good memtwin itself is.

use super::screen::{self, BAD, BOLD, DIM, GOOD, Screen};
use super::{Context, Exit, Failed, select};
use crate::bench::{Catch, CatchPlan, EngineCatch, Speed, Spread, catch, speed};
use crate::engines::Engine;
use crate::program;
use clap::{Args, Subcommand};
use std::io::Write as _;

#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How soon each known defect is caught: traces and milliseconds, medians with their spread
    Catch(CatchArguments),
    /// How fast sound subjects run: alone, the model alone, in lockstep, and isolated, in ops a second
    Speed(SpeedArguments),
}

#[derive(Debug, Args)]
struct SpeedArguments {
    /// What to run: `component` or `component/subject`; every sound subject if left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Print the measurement (schema memtwin-bench/1) on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CatchArguments {
    /// What to run: `component` or `component/subject`; every known defect if left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The engines
    #[arg(long, value_name = "ENGINE", value_enum, value_delimiter = ',', default_values_t = [Engine::Guided, Engine::Random])]
    engines: Vec<Engine>,
    /// How many seeds, from 1 on
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Worker processes at a time; with one the times are those of one core
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// Print the measurement (schema memtwin-bench/1) on standard output
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        match &self.what {
            What::Catch(arguments) => arguments.run(context),
            What::Speed(arguments) => arguments.run(context),
        }
    }
}

impl CatchArguments {
    fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let mut targets = select::targets(context.registry, &self.targets, true)?;
        targets.retain(|&index| context.registry.get(index).is_some_and(|target| !target.is_sound()));
        if targets.is_empty() {
            let program = program::called();
            return Err(format!("there is no Broken subject among these targets; `{program} list` shows them").into());
        }
        let out = tempfile::tempdir()?;
        let plan = CatchPlan {
            targets,
            engines: self.engines.clone(),
            seeds: (1..=self.seeds).collect(),
            workers: usize::from(self.workers),
            out: out.path().to_owned(),
        };
        let screen = Screen::new(self.json);
        let listener = |engine: Engine, seed: u64| screen.progress(&format!("{engine} engine, seed {seed}"));
        let measured = catch(context.registry, &plan, &context.interrupted, &listener);
        screen.finish();
        let Some(measured) = measured? else { return Ok(Exit::Interrupted) };
        if self.json {
            screen::print_json(&measured)?;
        } else {
            tell(&measured)?;
        }
        let is_whole = measured.engines.iter().all(|engine| engine.caught == engine.runs);
        Ok(if is_whole { Exit::Clean } else { Exit::Finding })
    }
}

impl SpeedArguments {
    fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let targets = select::targets(context.registry, &self.targets, false)?;
        let screen = Screen::new(self.json);
        let measured = speed(context.registry, &targets, &context.interrupted, &|name| screen.progress(name));
        screen.finish();
        let Some(measured) = measured? else { return Ok(Exit::Interrupted) };
        if self.json {
            screen::print_json(&measured)?;
        } else {
            tell_speed(&measured)?;
        }
        let is_measured = measured.subjects.iter().all(|subject| subject.ratio.is_some());
        let is_alive = is_measured && measured.canaries.iter().all(|canary| canary.is_caught);
        Ok(if is_alive { Exit::Clean } else { Exit::Finding })
    }
}

fn tell_speed(measured: &Speed) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{DIM}  {:<30} M ops/s: alone  model  lockstep  isolated  lockstep/alone{DIM:#}", "subject")?;
    let millions =
        |spread: Option<Spread>| spread.map_or("?".to_owned(), |spread| format!("{:.2}", spread.median / 1e6));
    for subject in &measured.subjects {
        let name = format!("{}/{}", subject.component, subject.subject);
        let [alone, model, lockstep, isolated] =
            [subject.alone, subject.model, subject.lockstep, subject.isolated].map(millions);
        let ratio = words((subject.ratio, 2));
        writeln!(out, "  {name:<30} {alone:>14} {model:>6} {lockstep:>9} {isolated:>9}  {ratio}")?;
        if subject.ratio.is_none() {
            writeln!(out, "    not measured: it died, or most of what it ran is moot, not served or skipped")?;
        }
    }
    for canary in &measured.canaries {
        let name = format!("{}/{}", canary.component, canary.subject);
        match canary.milliseconds {
            Some(milliseconds) => writeln!(out, "{GOOD}✓{GOOD:#} canary {name} caught in {milliseconds:.0} ms")?,
            None => writeln!(out, "{BAD}✗{BAD:#} canary {name} was missed: these figures say nothing")?,
        }
    }
    Ok(())
}

fn tell(measured: &Catch) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    for engine in &measured.engines {
        writeln!(out, "{BOLD}{} engine{BOLD:#}, {} seeds", engine.engine, measured.seeds.len())?;
        writeln!(out, "{DIM}  {:<30} caught  traces: median (least–most)   ms: median (least–most){DIM:#}", "subject")?;
        for subject in &engine.subjects {
            let name = format!("{}/{}", subject.component, subject.subject);
            let style = if subject.caught == measured.seeds.len() { GOOD } else { BAD };
            let [executions, milliseconds] = [(subject.executions, 0), (subject.milliseconds, 1)].map(words);
            writeln!(out, "  {name:<30} {style}{:>6}{style:#}  {executions:<28} {milliseconds}", subject.caught)?;
        }
        summarise(&mut out, engine)?;
    }
    Ok(())
}

fn summarise(out: &mut impl std::io::Write, engine: &EngineCatch) -> std::io::Result<()> {
    let style = if engine.caught == engine.runs { GOOD } else { BAD };
    writeln!(
        out,
        "{style}{} of {} runs caught{style:#}, ms to a catch {}; the whole catalogue once, in s: {}\n",
        engine.caught,
        engine.runs,
        words((engine.milliseconds, 1)),
        words((engine.catalogue_seconds, 1)),
    )
}

/// A spread with so many decimals.
fn words((spread, decimals): (Option<Spread>, usize)) -> String {
    spread.map_or_else(String::new, |Spread { median, least, most }| {
        format!("{median:.decimals$} ({least:.decimals$}–{most:.decimals$})")
    })
}
