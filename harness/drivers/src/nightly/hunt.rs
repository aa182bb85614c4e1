//! The hunt: rounds of slices over all arms, each round split by what the arms brought before. It ends when the time is
//! over.

use super::Night;
use super::budget::{recent_yield, rounds, slices};
use super::engines::{self, Arm, Engine};
use super::findings::Findings;
use super::summary::EngineRow;
use crate::command::tell;
use memtwin_core::run_file::RunFile;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What came of it.
#[derive(Debug)]
pub(super) struct Hunted {
    pub(super) rounds: u32,
    /// One for each engine that ran.
    pub(super) engines: Vec<(Engine, EngineRow)>,
    pub(super) findings: Findings,
    /// The run files of the engine that writes some.
    pub(super) runs: Vec<RunFile>,
    /// Inputs that an engine died of and that made no trace, by component.
    pub(super) raw: Vec<(String, PathBuf)>,
    pub(super) troubles: Vec<String>,
}

/// Runs the arms for this long, in the rounds that fit, or until someone interrupts.
pub(super) fn hunt(night: &Night<'_>, arms: &[Arm<'_>], time: Duration) -> Result<Hunted, Box<dyn std::error::Error>> {
    let rounds = rounds(time, arms.len());
    let mut hunted = Hunted {
        rounds: 0,
        engines: Vec::new(),
        findings: Findings::below(night.out.join("findings")),
        runs: Vec::new(),
        raw: Vec::new(),
        troubles: Vec::new(),
    };
    for engine in Engine::ALL.into_iter().filter(|engine| arms.iter().any(|arm| arm.engine == *engine)) {
        hunted.engines.push((engine, EngineRow { name: engine.word().to_owned(), ..EngineRow::default() }));
    }
    let mut yields: Vec<Option<f64>> = vec![None; arms.len()];
    let mut used = Duration::ZERO;
    for round in 0..rounds {
        // Engines take their time to start, and what they take longer is no longer there.
        if time <= used {
            break;
        }
        hunted.rounds += 1;
        let time = time.saturating_sub(used) / (rounds - round);
        let recent: Vec<f64> = yields.iter().map(|recent| recent.unwrap_or_default()).collect();
        for ((arm, slice), recent) in arms.iter().zip(slices(time, &recent)).zip(&mut yields) {
            let (engine, component) = (arm.engine.word(), arm.component);
            if night.is_interrupted() {
                return Ok(hunted);
            }
            tell(&format!("── round {} of {rounds}: {engine} on {component}, {slice:?}", round + 1));
            // AFL++ goes on where it ended, from the folder that it had.
            let name = if arm.engine == Engine::Afl { component.to_owned() } else { format!("{component}-{round}") };
            let (took, brought) = hunted.slice(night, arm, &night.work.join(engine).join(name), slice)?;
            used += took;
            *recent = Some(recent_yield(*recent, brought, took));
        }
    }
    Ok(hunted)
}

impl Hunted {
    /// One slice: how long it took, and how many new inputs and findings it brought.
    fn slice(
        &mut self,
        night: &Night<'_>,
        arm: &Arm<'_>,
        work: &Path,
        time: Duration,
    ) -> Result<(Duration, usize), Box<dyn std::error::Error>> {
        let before = night.inputs(arm.component)?;
        let started = Instant::now();
        let ran = arm.run(night, work, time);
        let took = started.elapsed();
        let mut found = self.findings.collect(night.registry, night.known, arm.engine.word(), &arm.findings(work))?;
        if night.is_interrupted() {
            return Ok((took, found));
        }
        // Engines keep much that smaller inputs reach as well, and every engine after this one would read it.
        let minimized = engines::minimize(night, arm.component);
        let inputs = night.inputs(arm.component)?.saturating_sub(before);
        match ran {
            Ok(slice) => {
                found += slice.raw.len();
                self.runs.extend(slice.run);
                self.raw.extend(slice.raw.into_iter().map(|path| (arm.component.to_owned(), path)));
            }
            Err(trouble) => self.troubles.push(trouble.to_string()),
        }
        self.troubles.extend(minimized.err().map(|trouble| trouble.to_string()));
        tell(&format!("   {took:.1?}, {inputs} new inputs, {found} new findings"));
        if let Some((_, row)) = self.engines.iter_mut().find(|(engine, _)| *engine == arm.engine) {
            row.used += took;
            row.inputs += inputs;
            row.findings += found;
        }
        Ok((took, inputs + found))
    }
}
