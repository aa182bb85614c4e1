//! Fuzzers that run subjects in their own process, libFuzzer and AFL++: one target for each component, a few lines
//! below fuzz/. An input is wire bytes and runs on every sound subject; an input that is a JSON trace runs on the
//! subject its header names. A divergence aborts, so that the fuzzer keeps the input. Under libFuzzer a supervising
//! parent then shrinks it and writes a JSON trace; AFL++ has a parent of its own, and `memtwin accept` shrinks what it
//! keeps.
//!
//! Inputs are changed op by op, and what the model saw is fed back as features: extra counters under libFuzzer, IJON
//! under AFL++. `MEMTWIN_FEEDBACK=off` turns the features off, to see what they are worth.
//!
//! `MEMTWIN_SUBJECT` narrows a run to one subject. `MEMTWIN_SUPERVISED=1` turns the parent off, and set when the target
//! is built, builds it without: for runners that watch over its processes and parse what it prints.

use crate::campaign::{Patience, file_finding, shrink_wire};
use crate::corpus::carry_chosen;
use crate::engines::TraceSource;
use crate::feedback::take_reached;
use crate::finding::{Cause, Ending};
use crate::isolate::{self, ExtraCounters, FuzzerEnd, Isolation, Notes};
use crate::lockstep::{Audits, COUNTS, Ended, Journal, Runner};
use crate::mutate::{Mutator, any_of};
use crate::random::Random;
use crate::registry::Registry;
use crate::target::Target;
use crate::trace::{JSON_PREFIX, TraceError};
use crate::trace_files::from_json;
use memtwin_models::StateMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

const SUPERVISED: &str = "MEMTWIN_SUPERVISED";
/// [`SUPERVISED`] as it was when this was built.
const BUILT_SUPERVISED: Option<&str> = option_env!("MEMTWIN_SUPERVISED");
const SUBJECT: &str = "MEMTWIN_SUBJECT";
const FEEDBACK: &str = "MEMTWIN_FEEDBACK";
/// One mutation in this many is libFuzzer's own.
const BYTEWISE_ONE_IN: u32 = 8;
/// Where shrunk findings go, below the working directory.
const OUT: &str = "target/memtwin";

/// A component's fuzz target. Lives in the fuzzing process.
pub struct FuzzTarget {
    registry: Registry,
    component: &'static str,
    subject: Option<String>,
    /// The subjects that an input runs on.
    chosen: Vec<(usize, &'static dyn Target)>,
    /// Whether every input meets new subjects: AFL++ compares the paths of two runs of one input.
    starts_anew: bool,
    /// The runners made so far, by target.
    runners: Vec<(usize, Box<dyn Runner>)>,
    notes: Option<Notes>,
    step: AtomicU32,
    counts: Box<[u64; COUNTS]>,
    features: Features,
    /// Whether the fuzzer hears of the features.
    feeds_back: bool,
    mutator: Mutator,
    /// Traces to take ops from, and what they are written to.
    fresh: Option<Box<dyn TraceSource>>,
    donor: Vec<u8>,
    mutant: Vec<u8>,
    /// Whether it was said that an input is no trace.
    complained: bool,
}

/// Where the features of a run are noted.
enum Features {
    Own(Box<[u8; StateMap::SIZE]>),
    /// What libFuzzer reads and clears.
    Counters(&'static mut [u8; StateMap::SIZE]),
}

impl Features {
    fn map(&mut self) -> &mut [u8; StateMap::SIZE] {
        match self {
            Features::Own(map) => map,
            Features::Counters(map) => map,
        }
    }
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
    pub fn start(registry: &Registry, component: &'static str, counters: &'static ExtraCounters) -> Self {
        isolate::serve_if_asked(registry);
        let notes = if BUILT_SUPERVISED.is_some() || std::env::var_os(SUPERVISED).is_some() {
            isolate::reserve_windows();
            None
        } else {
            let for_parent = registry.clone();
            isolate::supervise(move |ended| conclude(&for_parent, ended))
                .inspect_err(|error| say(&format!("running without a supervisor: {error}")))
                .ok()
        };
        isolate::mark_supervised(SUPERVISED);
        let target = Self::start_unsupervised(registry, component);
        let features = target.feeds_back.then(|| counters.claim()).flatten().map(Features::Counters);
        FuzzTarget { notes, features: features.unwrap_or(target.features), starts_anew: false, ..target }
    }

    /// As [`FuzzTarget::start`], for a fuzzer that watches over its processes itself.
    #[must_use]
    pub fn start_unsupervised(registry: &Registry, component: &'static str) -> Self {
        say("inputs run in this process, without the sandbox: fuzz what may do harm where it may");
        // libfuzzer-sys aborts in its panic hook; without it a subject may catch its own panics, and those that it does
        // not catch still end in an abort, at the boundary to libFuzzer.
        drop(std::panic::take_hook());
        let subject = std::env::var(SUBJECT).ok().filter(|subject| !subject.is_empty());
        if let Some(subject) = &subject
            && registry.index_of(component, subject).is_none()
        {
            let known = registry.targets().filter(|target| target.dialect().name() == component);
            let known: Vec<&str> = known.map(Target::subject).collect();
            say(&format!("{SUBJECT}={subject} is no subject of {component}; known are {}", known.join(", ")));
            std::process::exit(2);
        }
        let chosen = chosen(registry, component, subject.as_deref());
        let Some(cutter) = any_of(chosen.iter().map(|(_, target)| target.cutter()).collect()) else {
            say(&format!("this program has no sound subject of {component}"));
            std::process::exit(2);
        };
        let mut target = FuzzTarget {
            registry: registry.clone(),
            component,
            subject,
            fresh: chosen.first().map(|(_, target)| target.traces()),
            chosen,
            starts_anew: true,
            runners: Vec::new(),
            notes: None,
            step: AtomicU32::new(0),
            counts: Box::new([0; COUNTS]),
            features: Features::Own(Box::new([0; StateMap::SIZE])),
            feeds_back: std::env::var_os(FEEDBACK).is_none_or(|value| value != "off"),
            mutator: Mutator::new(cutter),
            donor: Vec::new(),
            mutant: Vec::new(),
            complained: false,
        };
        // What is made once in a process is made now.
        target.run(&[]);
        target.tell_features(|_| ());
        target
    }

    /// Runs one input; returns whether it is a trace, for what is none belongs in no corpus. Aborts on a divergence, as
    /// fuzzers expect of a finding.
    pub fn run(&mut self, bytes: &[u8]) -> bool {
        if bytes.starts_with(JSON_PREFIX) {
            match self.read_json(bytes) {
                Ok((target, wire)) => {
                    self.run_on(target, &wire);
                    return true;
                }
                // A fuzzer makes many of them out of one that can be read.
                Err(error) if !self.complained => {
                    self.complained = true;
                    say(&error.to_string());
                }
                Err(_) => {}
            }
            return false;
        }
        for chosen in 0..self.chosen.len() {
            self.run_on(self.chosen[chosen].0, bytes);
        }
        if self.starts_anew {
            self.runners.clear();
        }
        true
    }

    /// Changes an input op by op, in place; returns its new length. What `bytewise` does is a change now and then, and
    /// all there is for a JSON trace.
    pub fn mutate(
        &mut self,
        input: &mut [u8],
        length: usize,
        most_bytes: usize,
        seed: u32,
        bytewise: fn(&mut [u8], usize, usize) -> usize,
    ) -> usize {
        let mut random = Random::new(u64::from(seed));
        if input[..length].starts_with(JSON_PREFIX) || random.one_in(BYTEWISE_ONE_IN) {
            return bytewise(input, length, most_bytes);
        }
        if let Some(fresh) = &mut self.fresh {
            fresh.write(u64::from(seed), 0, &mut self.donor);
        }
        self.mutator.set_donor(&self.donor);
        if !self.mutator.set_parent(&input[..length]) {
            self.mutator.set_setup_of(&self.donor);
        }
        self.mutator.mutate(&mut random, most_bytes, &mut self.mutant);
        self.take_mutant(input)
    }

    /// Writes a child of two inputs; returns its length.
    pub fn cross(&mut self, parent: &[u8], donor: &[u8], child: &mut [u8], seed: u32) -> usize {
        self.mutator.set_donor(donor);
        if !self.mutator.set_parent(parent) {
            self.mutator.set_setup_of(donor);
        }
        self.mutator.cross(&mut Random::new(u64::from(seed)), child.len(), &mut self.mutant);
        self.take_mutant(child)
    }

    fn take_mutant(&self, input: &mut [u8]) -> usize {
        let length = self.mutant.len().min(input.len());
        input[..length].copy_from_slice(&self.mutant[..length]);
        length
    }

    /// Tells the features of the last input, each with its class of magnitude, and forgets them. Tells none if feedback
    /// is off.
    pub fn tell_features(&mut self, mut tell: impl FnMut(u32)) {
        let feeds_back = self.feeds_back;
        take_reached(self.features.map()).filter(|_| feeds_back).for_each(|reached| tell(reached.into()));
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
        let FuzzTarget { runners, step, counts, features, .. } = self;
        let mut journal = Journal { step, counts, features: Some(features.map()), ops: 0 };
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

/// The one subject that was asked for, or every sound one.
fn chosen(registry: &Registry, component: &str, subject: Option<&str>) -> Vec<(usize, &'static dyn Target)> {
    let of_component = registry.targets().enumerate().filter(|(_, target)| target.dialect().name() == component);
    let is_chosen = |target: &dyn Target| subject.map_or(target.is_sound(), |subject| target.subject() == subject);
    of_component.filter(|(_, target)| is_chosen(*target)).collect()
}

/// In the parent: shrinks what the child died of, files it, says how to replay it, and returns the child's exit code.
/// After a merge, committed seeds are still there.
fn conclude(registry: &Registry, ended: FuzzerEnd) -> i32 {
    let Some((index, wire)) = ended.running else {
        if ended.code == 0
            && let Err(error) = carry_chosen(std::env::args_os())
        {
            say(&format!("cannot add seeds and JSON traces to what was merged: {error}"));
            return 1;
        }
        return ended.code;
    };
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
    file_finding(Path::new(OUT), target, wire, &signature, isolation.met())?;
    let small = shrink_wire(&mut isolation, index, target, wire, &signature, Patience::with(class), Audits::Full)?;
    let filed = file_finding(Path::new(OUT), target, &small, &signature, isolation.met())?;
    say(&format!("{} ops became {}", target.dialect().op_count(wire), filed.ops));
    say(&format!("replay:  cargo run --release -- replay {}", filed.path.display()));
    say(&format!("explain: cargo run --release -- explain {}", filed.path.display()));
    Ok(())
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "memtwin: {}", crate::text::line(text));
}
