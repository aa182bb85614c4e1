//! `cargo xtask afl`: AFL++ on several cores and hosts. One instance is the main one, the others are secondaries that
//! work in different ways, and all take over what the others find, through a folder. What crashes becomes shrunk
//! traces. It judges no crash by itself: memtwin does.

mod findings;
mod fleet;
mod statistics;

pub(crate) use findings::{file, replay_line};
pub(crate) use fleet::{Fleet, Instance, Limit, build, reached};

use crate::command::Trouble;
use crate::room::Room;
use clap::Args;
use findings::Findings;
use fleet::Ended;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

#[derive(Debug, Args)]
pub(crate) struct Afl {
    /// The components, one after the other; all without any
    #[arg(value_name = "COMPONENT")]
    components: Vec<String>,
    /// How many run at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    instances: u16,
    /// How long each component is fuzzed, such as 20s or 8h
    #[arg(long, value_name = "D", default_value = "20s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Where findings go, and what AFL++ keeps unless --sync says otherwise
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What AFL++ keeps, in a folder for each component: shared by hosts, or copied between them
    #[arg(long, value_name = "DIR")]
    sync: Option<PathBuf>,
    /// Another host has the main instance
    #[arg(long)]
    secondary: bool,
    /// Inputs of another fuzzer, with a folder for each component as in corpus/; the main instance takes them over
    #[arg(long, value_name = "DIR", conflicts_with = "secondary")]
    foreign: Option<PathBuf>,
    /// Run on this subject alone, sound or broken; needs one component
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
}

impl Afl {
    /// Whether nothing was found.
    pub(crate) fn run(&self, room: &Room) -> Result<bool, Box<dyn std::error::Error>> {
        let components = self.components()?;
        let programs = build(room).map_err(Trouble::into_error)?;
        // AFL++ and memtwin run in the repository's root, where a relative path would mean something else.
        let out = std::path::absolute(&self.out)?;
        let sync = self.sync.as_ref().map_or_else(|| Ok(out.join("sync")), std::path::absolute)?;
        let mut is_clean = true;
        for component in components {
            let foreign =
                self.foreign.as_ref().map(|folder| std::path::absolute(folder.join(&component))).transpose()?;
            if let Some(foreign) = foreign.as_ref().filter(|folder| !folder.is_dir()) {
                return Err(format!("--foreign has no folder {}", foreign.display()).into());
            }
            let fleet = Fleet {
                component: &component,
                subject: self.subject.as_deref(),
                instances: self.instances.into(),
                // Alone, an instance has nobody to be the main one of, but only a main one takes over foreign inputs.
                has_main: !self.secondary && (1 < self.instances || self.sync.is_some() || foreign.is_some()),
                limit: Limit::Time(self.time),
                sync: &sync.join(&component),
                foreign: foreign.as_deref(),
                feedback: true,
            };
            let Ended { instances, was_interrupted } = fleet.run(room, &programs).map_err(Trouble::into_error)?;
            let crashes: Vec<_> = instances.iter().flat_map(|instance| instance.crashes.clone()).collect();
            let filed = file(room, &component, self.subject.as_deref(), &crashes, &out.join("findings"))
                .map_err(Trouble::into_error)?;
            write!(anstream::stdout(), "{}{}", table(&component, &instances), endings(&filed))?;
            is_clean &= crashes.is_empty();
            if was_interrupted {
                std::process::exit(INTERRUPTED);
            }
        }
        Ok(is_clean)
    }

    fn components(&self) -> Result<Vec<String>, String> {
        let registry = memtwin::built_in();
        let known: Vec<_> = registry.dialects().map(|dialect| dialect.name().to_owned()).collect();
        if let Some(unknown) = self.components.iter().find(|component| !known.contains(component)) {
            return Err(format!("unknown component {unknown:?}; known are {}", known.join(", ")));
        }
        let components = if self.components.is_empty() { known } else { self.components.clone() };
        if let Some(subject) = &self.subject {
            let [component] = components.as_slice() else {
                return Err(format!("--subject {subject} needs the one component that it is a subject of"));
            };
            if registry.index_of(component, subject).is_none() {
                return Err(format!("unknown subject {component}/{subject:?}; see `memtwin list`"));
            }
        }
        Ok(components)
    }
}

/// What each instance says of itself.
fn table(component: &str, instances: &[Instance]) -> String {
    let mut text = format!(
        "\n{component:<30} {:>10} {:>9} {:>9} {:>7} {:>9} {:>8}\n",
        "inputs", "a second", "stable", "found", "imported", "crashes"
    );
    for Instance { name, statistics, .. } in instances {
        let _ = writeln!(
            text,
            "{name:<30} {:>10} {:>9.0} {:>7.2} % {:>7} {:>9} {:>8}",
            statistics.inputs,
            statistics.inputs_per_second,
            statistics.stability_percent,
            statistics.found,
            statistics.imported,
            statistics.crashes,
        );
    }
    text
}

/// What crashes became, with the commands that show it.
fn endings(filed: &Findings) -> String {
    let mut text = String::new();
    for finding in &filed.findings {
        let (subject, signature, crashes) = (&finding.subject, &finding.signature, finding.crashes);
        let _ = writeln!(text, "finding: {signature} on {subject}, in {crashes} of the files that AFL++ kept");
        let _ = writeln!(text, "replay:  {}", replay_line(&finding.trace));
    }
    for path in &filed.unconfirmed {
        let path: &Path = path;
        let _ = writeln!(text, "agrees when it runs alone, so something outlived an earlier input: {}", path.display());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        afl: Afl,
    }

    fn parsed(words: &[&str]) -> Result<Afl, String> {
        let words = ["afl", "--out", "there"].iter().chain(words);
        Line::try_parse_from(words).map(|line| line.afl).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_checked_before_anything_is_built() {
        assert_eq!(parsed(&["brk_heap", "--subject", "BH-10"]).unwrap().components().unwrap(), ["brk_heap"]);
        assert!(parsed(&["--subject", "BH-10"]).unwrap().components().is_err(), "of which component?");
        assert!(parsed(&["page_walk", "--subject", "BH-10"]).unwrap().components().is_err());
        assert!(parsed(&["no_heap"]).unwrap().components().is_err());
        assert_eq!(parsed(&[]).unwrap().components().unwrap().len(), memtwin::built_in().dialects().count());
    }

    #[test]
    fn only_a_fleet_with_a_main_instance_takes_over_foreign_inputs() {
        assert!(parsed(&["--foreign", "corpus"]).is_ok());
        assert!(parsed(&["--foreign", "corpus", "--secondary"]).is_err());
        assert!(parsed(&["--instances", "0"]).is_err());
        assert!(parsed(&["--time", "soon"]).is_err());
    }
}
