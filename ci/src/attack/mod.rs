//! `cargo xtask attack`: the program against bad files, mutants of good ones, kills, full disks, poor surroundings and
//! readers that go away. Everything drawn comes from a seed. It works on copies below a temporary folder, and judges
//! how the program ends, never what a subject does.

mod bad_files;
mod batches;
mod calls;
mod disk;
mod environment;
mod failures;
mod inputs;
mod judge;
mod kills;
mod mutants;
mod mutate;
mod place;
mod processes;
mod streams;

use crate::room::Room;
use clap::{Args, ValueEnum};
use memtwin::drivers::command::Trouble;
use place::Place;
use std::io::Write as _;

#[derive(Debug, Clone, Args)]
pub(crate) struct Attack {
    /// Everything: 100,000 mutants, 100 kills, inputs of a gigabyte
    #[arg(long)]
    pub(crate) long: bool,
    /// Only this part; may be repeated
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<Part>,
    /// What is drawn
    #[arg(long, value_name = "S", default_value_t = SEED)]
    pub(crate) seed: u64,
}

/// The seed of CI.
const SEED: u64 = 7;

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Campaigns are killed and taken up again
    Kills,
    /// Bad files for every verb that reads one
    Inputs,
    /// Mutants of committed traces, seeds, run files and logs
    Mutants,
    /// A disk that is full
    Disk,
    /// Few descriptors, processes, memory; odd environments; folders that are no folders
    Environment,
    /// Closed streams, full devices, readers that go away
    Streams,
}

/// Carries a part out.
type Attackers = fn(&Place) -> Result<Count, Trouble>;

/// All parts, in the order they run: those that find most in the least time first.
const PARTS: [(Part, Attackers); 6] = [
    (Part::Kills, kills::run),
    (Part::Streams, streams::run),
    (Part::Environment, environment::run),
    (Part::Disk, disk::run),
    (Part::Inputs, inputs::run),
    (Part::Mutants, mutants::run),
];

/// What a part did.
#[derive(Debug, Default)]
pub(crate) struct Count {
    /// What was run and judged, in words: `52 kills`.
    what: String,
    /// What could not be done here, and why.
    skipped: Vec<String>,
}

impl Attack {
    /// What CI runs.
    pub(crate) fn of_ci(long: bool) -> Self {
        Attack { long, only: Vec::new(), seed: SEED }
    }

    /// Whether all held.
    pub(crate) fn run(&self, room: &Room) -> Result<bool, Box<dyn std::error::Error>> {
        let failed = self.failures(room).map_err(Trouble::into_error)?;
        Ok(failed == 0)
    }

    /// How many attacks succeeded; each has a line.
    pub(crate) fn failures(&self, room: &Room) -> Result<usize, Trouble> {
        let mut out = anstream::stdout();
        let place = Place::new(room, self.long, self.seed)?;
        let mut sums = Vec::new();
        for (part, run) in PARTS.iter().filter(|(part, _)| self.only.is_empty() || self.only.contains(part)) {
            let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            let before = place.failures.count();
            if place.failures.is_enough() {
                sums.push(format!("{name:<12} not run: too many failures before it"));
                continue;
            }
            let started = std::time::Instant::now();
            let count = run(&place)?;
            let (failed, seconds) = (place.failures.count() - before, started.elapsed().as_secs_f64());
            sums.push(format!("{name:<12} {}, {failed} failed ({seconds:.1} s)", count.what));
            sums.extend(count.skipped.iter().map(|why| format!("{name:<12} skipped: {why}")));
        }
        sums.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        Ok(place.failures.count())
    }
}
