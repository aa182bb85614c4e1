//! Fuzzers that run subjects in their own process, libFuzzer and AFL++: one target for each component, a few lines below
//! fuzz/. An input is wire bytes and runs on every sound subject; an input that is a JSON trace runs on the subject its
//! header names. A divergence aborts, so that the fuzzer keeps the input. Under libFuzzer a supervising parent then shrinks
//! it and writes a JSON trace; AFL++ has a parent of its own, and `memtwin accept` shrinks what it keeps.
//!
//! `MEMTWIN_SUBJECT` narrows a run to one subject. `MEMTWIN_SUPERVISED=1` turns the parent off.

use crate::campaign::{file_finding, shrink_wire};
use crate::finding::{Cause, Ending};
use crate::isolate::{self, FuzzerEnd, Isolation, Notes};
use crate::lockstep::{Audits, COUNTS, Ended, Journal, Runner};
use crate::registry::Registry;
use crate::trace::{JSON_PREFIX, TraceError, from_json};
use memtwin_models::StateMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

const SUPERVISED: &str = "MEMTWIN_SUPERVISED";
const SUBJECT: &str = "MEMTWIN_SUBJECT";
/// Where shrunk findings go, below the working directory.
const OUT: &str = "target/memtwin";

/// A component's fuzz target. Lives in the fuzzing process.
pub struct FuzzTarget {
    registry: Registry,
    component: &'static str,
    subject: Option<String>,
    /// The runners made so far, by target.
    runners: Vec<(usize, Box<dyn Runner>)>,
    notes: Option<Notes>,
    place: AtomicU32,
    counts: Box<[u64; COUNTS]>,
    features: Box<[u8; StateMap::SIZE]>,
}

impl std::fmt::Debug for FuzzTarget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FuzzTarget").field("component", &self.component).finish_non_exhaustive()
    }
}

impl FuzzTarget {
    /// Called once, before libFuzzer begins. Ends the process with one clear line if the environment names an unknown
    /// subject.
    #[must_use]
    pub fn start(registry: &Registry, component: &'static str) -> Self {
        isolate::serve_if_asked(registry);
        let notes = if std::env::var_os(SUPERVISED).is_some() {
            None
        } else {
            let for_parent = registry.clone();
            isolate::supervise(move |ended| conclude(&for_parent, ended))
                .inspect_err(|error| say(&format!("running without a supervisor: {error}")))
                .ok()
        };
        isolate::mark_supervised(SUPERVISED);
        FuzzTarget { notes, ..Self::start_unsupervised(registry, component) }
    }

    /// As [`FuzzTarget::start`], for a fuzzer that watches over its processes itself.
    #[must_use]
    pub fn start_unsupervised(registry: &Registry, component: &'static str) -> Self {
        // libfuzzer-sys aborts in its panic hook; without it a subject may catch its own panics, and those that it does
        // not catch still end in an abort, at the boundary to libFuzzer.
        drop(std::panic::take_hook());
        let subject = std::env::var(SUBJECT).ok().filter(|subject| !subject.is_empty());
        if let Some(subject) = &subject
            && registry.index_of(component, subject).is_none()
        {
            say(&format!("{SUBJECT}={subject} is no subject of {component}; see `memtwin list`"));
            std::process::exit(2);
        }
        FuzzTarget {
            registry: registry.clone(),
            component,
            subject,
            runners: Vec::new(),
            notes: None,
            place: AtomicU32::new(0),
            counts: Box::new([0; COUNTS]),
            features: Box::new([0; StateMap::SIZE]),
        }
    }

    /// Runs one input. Aborts on a divergence, as fuzzers expect of a finding.
    pub fn run(&mut self, bytes: &[u8]) {
        if bytes.starts_with(JSON_PREFIX) {
            match self.read_json(bytes) {
                Ok((target, wire)) => self.run_on(target, &wire),
                Err(error) => say(&error.to_string()),
            }
            return;
        }
        let registry = self.registry.clone();
        for (index, target) in registry.targets().enumerate() {
            let is_chosen = match &self.subject {
                Some(subject) => target.subject() == subject,
                None => target.is_sound(),
            };
            if is_chosen && target.dialect().name() == self.component {
                self.run_on(index, bytes);
            }
        }
    }

    fn read_json(&self, bytes: &[u8]) -> Result<(usize, Vec<u8>), TraceError> {
        let path = Path::new("the input");
        let (dialect, header, wire) = from_json(&self.registry, path, bytes)?;
        let subject = self.subject.clone().or(header.subject).unwrap_or_default();
        let unknown = || TraceError::Subject {
            path: path.to_owned(),
            component: dialect.name().to_owned(),
            subject: subject.clone(),
        };
        self.registry.index_of(dialect.name(), &subject).map(|index| (index, wire)).ok_or_else(unknown)
    }

    fn run_on(&mut self, index: usize, wire: &[u8]) {
        let Some(target) = self.registry.get(index) else { return };
        if let Some(notes) = &mut self.notes {
            notes.begin(index, wire);
        }
        let position = self.runners.iter().position(|(known, _)| *known == index).unwrap_or_else(|| {
            self.runners.push((index, target.runner()));
            self.runners.len() - 1
        });
        let FuzzTarget { runners, place, counts, features, .. } = self;
        let mut journal = Journal { place, counts, features: Some(features), ops: 0 };
        if let Ended::Diverged { step, divergence } = runners[position].1.run(wire, Audits::Full, &mut journal) {
            let failure = crate::finding::Failure { step, cause: (&divergence).into() };
            say(&format!("{} diverged: {}", target.name(), target.dialect().signature(wire, &failure)));
            std::process::abort();
        }
        if let Some(notes) = &mut self.notes {
            notes.end();
        }
    }
}

/// In the parent: shrinks what the child died of, files it, says how to replay it, and returns the child's exit code.
fn conclude(registry: &Registry, ended: FuzzerEnd) -> i32 {
    let Some((index, wire)) = ended.running else { return ended.code };
    if let Err(error) = explain_death(registry, index, &wire) {
        say(&error.to_string());
    }
    ended.code
}

fn explain_death(registry: &Registry, index: usize, wire: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let Some(target) = registry.get(index) else { return Ok(()) };
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let Some(Ending::Failed(failure)) = isolation.replay(index, wire, Audits::Full)? else {
        say(&format!(
            "{} agrees when the input runs alone: it depends on earlier inputs, or on libFuzzer's limits",
            target.name()
        ));
        return Ok(());
    };
    let signature = target.dialect().signature(wire, &failure);
    let class = match &failure.cause {
        Cause::Fault(fault) => Some(fault.class),
        Cause::Law { .. } => None,
    };
    say(&format!("finding: {signature} on {}", target.name()));
    // Filed before it is shrunk: nothing that was found can be lost.
    file_finding(Path::new(OUT), target, wire, &signature)?;
    let small = shrink_wire(&mut isolation, index, target, wire, &signature, class, Audits::Full)?;
    let filed = file_finding(Path::new(OUT), target, &small, &signature)?;
    say(&format!("{} ops became {}", target.dialect().op_count(wire), filed.ops));
    say(&format!("replay:  cargo run --release -- replay {}", filed.path.display()));
    say(&format!("explain: cargo run --release -- explain {}", filed.path.display()));
    Ok(())
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "memtwin: {text}");
}
