//! `cargo xtask feedback`: what it is worth that fuzzers hear of the model's features. Each component's target runs
//! under libFuzzer and under AFL++, with and without, from the same seeds with the same number of inputs. All that was
//! measured is printed, as a Markdown table, whatever it says.

use crate::interrupted;
use crate::libfuzzer::{Flavour, Session, inputs_run, needs_cargo_fuzz};
use crate::room::Room;
use clap::Args;
use memtwin::drivers::afl::{Fleet, Limit, build};
use memtwin::drivers::command::Trouble;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Two defects of each component that a fuzzer finds, but not at once.
const DEFECTS: [(&str, [&str; 2]); 6] = [
    ("guest_memory", ["GM-04", "GM-09"]),
    ("brk_heap", ["BH-08", "BH-11"]),
    ("heap", ["HP-14", "HP-16"]),
    ("header_free", ["HF-11", "HF-12"]),
    ("page_walk", ["PW-19", "PW-20"]),
    ("temp_map", ["TM-08", "TM-11"]),
];

#[derive(Debug, Args)]
pub(crate) struct Feedback {
    /// The components; all without any
    #[arg(value_name = "COMPONENT")]
    components: Vec<String>,
    /// How many inputs each run has
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    runs: u64,
    /// How many runs each cell has, with the seeds 1, 2, 3, …
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
}

#[derive(Debug, Clone, Copy)]
enum Engine {
    LibFuzzer,
    Afl,
}

/// One run.
#[derive(Debug, Clone, Copy)]
struct Attempt<'a> {
    engine: Engine,
    component: &'a str,
    subject: Option<&'a str>,
    feedback: bool,
    inputs: u64,
    seed: u64,
}

/// What a run left.
struct Outcome {
    /// After how many inputs it died, if it did.
    died_after: Option<u64>,
    /// The inputs it kept, in a folder named after the component.
    corpus: PathBuf,
}

impl Feedback {
    /// Always true: it measures, and holds nothing against anything.
    pub(crate) fn run(&self, room: &Room) -> Result<bool, Box<dyn std::error::Error>> {
        let registry = memtwin::built_in();
        if let Some(unknown) = self.components.iter().find(|component| registry.dialect(component).is_none()) {
            return Err(format!("unknown component {unknown:?}; see `memtwin list`").into());
        }
        let rows = self.rows(room).map_err(Trouble::into_error)?;
        let mut out = anstream::stdout();
        writeln!(out, "\n| Component | Engine | Feedback | Features reached | Inputs until defects are found |")?;
        writeln!(out, "| --- | --- | --- | --- | --- |")?;
        rows.iter().try_for_each(|row| writeln!(out, "{row}"))?;
        Ok(true)
    }

    fn rows(&self, room: &Room) -> Result<Vec<String>, Trouble> {
        needs_cargo_fuzz(room)?;
        let programs = build(&room.project())?;
        let mut rows = Vec::new();
        let is_chosen = |name: &str| self.components.is_empty() || self.components.iter().any(|chosen| chosen == name);
        for (component, subjects) in DEFECTS.into_iter().filter(|(component, _)| is_chosen(component)) {
            for engine in [Engine::LibFuzzer, Engine::Afl] {
                for feedback in [true, false] {
                    let attempt = Attempt { engine, component, subject: None, feedback, inputs: self.runs, seed: 0 };
                    rows.push(self.row(room, &programs, attempt, subjects)?);
                }
            }
        }
        Ok(rows)
    }

    /// A row: a value for each seed in every cell.
    fn row(&self, room: &Room, programs: &Path, sound: Attempt<'_>, subjects: [&str; 2]) -> Result<String, Trouble> {
        let mut features = Vec::new();
        let mut defects = subjects.map(|subject| (subject, Vec::new()));
        for seed in 1..=self.seeds {
            let place = tempfile::tempdir()?;
            let outcome = Attempt { seed, ..sound }.run(room, programs, place.path())?;
            if let Some(inputs) = outcome.died_after {
                return Err(Trouble::Failed(format!(
                    "{} died after {inputs} inputs of sound subjects",
                    sound.component
                )));
            }
            features.push(reached(room, &outcome.corpus)?.to_string());
            for (subject, inputs) in &mut defects {
                let place = tempfile::tempdir()?;
                let attempt = Attempt { seed, subject: Some(subject), ..sound };
                let died_after = attempt.run(room, programs, place.path())?.died_after;
                inputs.push(died_after.map_or_else(|| "none".to_owned(), |inputs| inputs.to_string()));
            }
        }
        let defects = defects.map(|(subject, inputs)| format!("{subject}: {}", inputs.join(", ")));
        let engine = match sound.engine {
            Engine::LibFuzzer => "libFuzzer",
            Engine::Afl => "AFL++",
        };
        let feedback = if sound.feedback { "on" } else { "off" };
        let (component, features, defects) = (sound.component, features.join(", "), defects.join("; "));
        Ok(format!("| {component} | {engine} | {feedback} | {features} | {defects} |"))
    }
}

impl Attempt<'_> {
    fn run(&self, room: &Room, programs: &Path, place: &Path) -> Result<Outcome, Trouble> {
        match self.engine {
            Engine::LibFuzzer => self.libfuzzer(room, place),
            Engine::Afl => self.afl(room, programs, place),
        }
    }

    fn libfuzzer(&self, room: &Room, place: &Path) -> Result<Outcome, Trouble> {
        let Attempt { component, subject, feedback, inputs, seed, .. } = *self;
        let corpus = place.join(component);
        // Without a parent: what it would shrink and file is thrown away.
        let session =
            Session { flavour: Flavour::Stable, component, subject, inputs, seed, feedback, supervised: false };
        let printed = session.run(room, &corpus)?;
        let silent = || Trouble::Failed(format!("{component} does not say how many inputs it ran"));
        let inputs = inputs_run(&printed).ok_or_else(silent)?;
        Ok(Outcome { died_after: (printed.code != Some(0)).then_some(inputs), corpus })
    }

    fn afl(&self, room: &Room, programs: &Path, place: &Path) -> Result<Outcome, Trouble> {
        let Attempt { component, subject, feedback, inputs, seed, .. } = *self;
        let sync = place.join("sync");
        let limit = Limit::Inputs { inputs, seed };
        let fleet =
            Fleet { component, subject, instances: 1, has_main: false, limit, sync: &sync, foreign: None, feedback };
        let ended = fleet.run(&room.project(), programs, &*interrupted()?)?;
        if ended.was_interrupted {
            return Err(Trouble::Failed("interrupted".to_owned()));
        }
        let corpus = place.join(component);
        std::fs::create_dir(&corpus)?;
        let mut died_after = None;
        for instance in &ended.instances {
            instance.copy_queue(&corpus)?;
            died_after = died_after.or(instance.crashes.first().map(|crash| inputs_before(crash)).transpose()?);
        }
        Ok(Outcome { died_after, corpus })
    }
}

/// How many features of the model the inputs of a folder reach, as memtwin itself measures it.
fn reached(room: &Room, corpus: &Path) -> Result<u64, Trouble> {
    let printed = room.memtwin().with(["corpus", "minimize"]).with([corpus]).keep()?.success()?;
    let words: Vec<&str> = printed.split_whitespace().collect();
    let number = words.windows(2).find(|pair| pair[1] == "features").and_then(|pair| pair[0].parse().ok());
    number.ok_or_else(|| Trouble::Failed(format!("memtwin does not say how many features are reached: {printed}")))
}

/// How many inputs AFL++ had run when it kept this crash, which is part of the file's name.
fn inputs_before(crash: &Path) -> Result<u64, Trouble> {
    let name = crash.file_name().unwrap_or_default().to_string_lossy();
    let number = name.split(',').find_map(|part| part.strip_prefix("execs:")?.parse().ok());
    number.ok_or_else(|| Trouble::Failed(format!("{name} does not say when AFL++ found it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_has_two_defects_to_be_found() {
        let registry = memtwin::built_in();
        assert_eq!(registry.dialects().count(), DEFECTS.len());
        for (component, subjects) in DEFECTS {
            assert!(subjects.iter().all(|subject| registry.index_of(component, subject).is_some()), "{component}");
        }
    }

    #[test]
    fn a_crash_says_when_it_was_found() {
        let name = Path::new("crashes/id:000000,sig:06,src:000003,time:812,execs:4711,op:havoc,rep:2");
        assert_eq!(inputs_before(name), Ok(4711));
        assert!(inputs_before(Path::new("crashes/id:000000,sig:06")).is_err());
    }
}
