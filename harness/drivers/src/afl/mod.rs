//! AFL++ on several cores and hosts. One instance is the main one, the others are secondaries that work in different
//! ways, and all take over what the others find, through a folder. What crashes becomes shrunk traces. It judges no
//! crash by itself: memtwin does.

mod findings;
mod fleet;
mod statistics;

pub use findings::{Finding, Findings, file};
pub use fleet::{Ended, Fleet, INPUT_MILLISECONDS, Instance, Limit, build, targets};
pub use statistics::Statistics;

use crate::Project;
use crate::command::Trouble;
use memtwin_core::Registry;
use memtwin_core::program::{as_argument, called};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What is asked for.
#[derive(Debug)]
pub struct Plan {
    /// One after the other.
    pub components: Vec<String>,
    /// The one subject to run on, in place of every sound one; of one component.
    pub subject: Option<String>,
    /// How many instances run at the same time.
    pub instances: usize,
    /// How long each component is fuzzed.
    pub time: Duration,
    /// Where findings go, below `findings`.
    pub out: PathBuf,
    /// What AFL++ keeps, in a folder for each component.
    pub sync: PathBuf,
    /// Whether the main instance runs elsewhere.
    pub is_secondary: bool,
    /// Whether other hosts take part.
    pub is_shared: bool,
    /// Inputs of another fuzzer, in a folder for each component.
    pub foreign: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hunted {
    /// Whether AFL++ kept a crash.
    pub is_clean: bool,
    /// Whether someone asked for the end.
    pub was_interrupted: bool,
}

impl Plan {
    /// Runs it. After each component, what its instances say of themselves and what crashes became goes to `tell`, in
    /// lines.
    ///
    /// # Errors
    /// Skipped where AFL++ or a target is missing.
    pub fn run(
        &self,
        project: &Project,
        interrupted: &AtomicBool,
        tell: &dyn Fn(&str) -> Result<(), std::io::Error>,
    ) -> Result<Hunted, Trouble> {
        let built = targets(project)?;
        if let Some(component) = self.components.iter().find(|component| !built.contains(*component)) {
            return Err(no_target(project, component));
        }
        let mut folders = self.components.iter().filter_map(|component| self.foreign(component));
        if let Some(folder) = folders.find(|folder| !folder.is_dir()) {
            return Err(Trouble::Failed(format!("--foreign has no folder {}", folder.display())));
        }
        let programs = build(project)?;
        let mut hunted = Hunted { is_clean: true, was_interrupted: false };
        for component in &self.components {
            let foreign = self.foreign(component);
            let fleet = Fleet {
                component,
                subject: self.subject.as_deref(),
                instances: self.instances,
                // Alone, an instance has nobody to be the main one of, but only a main one takes over foreign inputs.
                has_main: !self.is_secondary && (1 < self.instances || self.is_shared || foreign.is_some()),
                limit: Limit::Time(self.time),
                sync: &self.sync.join(component),
                foreign: foreign.as_deref(),
                feedback: true,
            };
            let Ended { instances, was_interrupted } = fleet.run(project, &programs, interrupted)?;
            let crashes: Vec<_> = instances.iter().flat_map(|instance| instance.crashes.clone()).collect();
            let filed = file(project, component, self.subject.as_deref(), &crashes, &self.out.join("findings"))?;
            tell(&format!("{}{}", table(component, &instances), endings(&filed)))?;
            hunted.is_clean &= crashes.is_empty();
            hunted.was_interrupted |= was_interrupted;
            if was_interrupted {
                break;
            }
        }
        Ok(hunted)
    }

    fn foreign(&self, component: &str) -> Option<PathBuf> {
        self.foreign.as_ref().map(|folder| folder.join(component))
    }
}

/// The components of these names, all without any; a subject must be of the one component.
///
/// # Errors
/// In words, about a name that the registry does not know.
pub fn components(registry: &Registry, names: &[String], subject: Option<&str>) -> Result<Vec<String>, String> {
    let known: Vec<_> = registry.dialects().map(|dialect| dialect.name().to_owned()).collect();
    if let Some(unknown) = names.iter().find(|component| !known.contains(component)) {
        return Err(format!("unknown component {unknown:?}; known are {}", known.join(", ")));
    }
    let components = if names.is_empty() { known } else { names.to_owned() };
    if let Some(subject) = subject {
        let [component] = components.as_slice() else {
            return Err(format!("--subject {subject} needs the one component that it is a subject of"));
        };
        if registry.index_of(component, subject).is_none() {
            return Err(format!("unknown subject {component}/{subject:?}; see `{} list`", called()));
        }
    }
    Ok(components)
}

/// A component without an AFL++ target.
pub(crate) fn no_target(project: &Project, component: &str) -> Trouble {
    Trouble::Skipped {
        why: format!("{} has no program {component}", project.shown(&project.afl().join("Cargo.toml"))),
        remedy: format!("add src/bin/{component}.rs with memtwin::afl_target!, as `memtwin new` writes it"),
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
        let _ = writeln!(text, "replay:  {} replay {}", called(), as_argument(&finding.trace.to_string_lossy()));
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

    #[test]
    fn names_are_those_of_the_registry() {
        let registry = crate::registry();
        let chosen = |names: &[&str], subject| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            components(&registry, &names, subject)
        };
        assert_eq!(chosen(&["brk_heap"], Some("BH-10")).unwrap(), ["brk_heap"]);
        assert!(chosen(&[], Some("BH-10")).is_err(), "of which component?");
        assert!(chosen(&["guest_memory"], Some("BH-10")).is_err());
        assert!(chosen(&["no_heap"], None).is_err());
        assert_eq!(chosen(&[], None).unwrap().len(), registry.dialects().count());
    }
}
