//! Steps that run cargo-fuzz: a short run on every component's target must find nothing, and a committed trace of a defect
//! must kill it with the signature that the trace expects.

use crate::command::{Run, Trouble, last_lines};
use crate::room::Room;
use crate::toolchain::nightly;
use memtwin::Registry;
use memtwin::trace::load;
use std::path::Path;

/// How many inputs a target runs. A number and a seed instead of a time, so that the step says the same of the same code on
/// every machine; looking further, with other seeds, is what nightly runs are for.
const INPUTS: u64 = 30_000;
const SEED: u32 = 1337;
/// The most time that may take, in seconds.
const MOST_SECONDS: u32 = 120;
/// A target that ran fewer inputs than this has shown nothing.
const LEAST_INPUTS: u64 = 500;

/// A compiler and what it instruments.
#[derive(Clone, Copy)]
enum Flavour<'a> {
    /// The toolchain in use, no sanitizer.
    Stable,
    /// This nightly with AddressSanitizer.
    AddressSanitizer(&'a str),
}

pub(super) fn stable(room: &Room) -> Result<(), Trouble> {
    smoke(room, Flavour::Stable)
}

pub(super) fn address_sanitizer(room: &Room) -> Result<(), Trouble> {
    smoke(room, Flavour::AddressSanitizer(&nightly(room)?))
}

fn smoke(room: &Room, flavour: Flavour<'_>) -> Result<(), Trouble> {
    if !Run::cargo(&room.root, ["fuzz", "--version"]).probe() {
        let remedy = "cargo install cargo-fuzz --locked".to_owned();
        return Err(Trouble::Skipped { why: "no cargo-fuzz".to_owned(), remedy });
    }
    let registry = Registry::built_in();
    for dialect in registry.dialects() {
        cargo_fuzz(room, flavour, "build", dialect.name()).pass()?;
        finds_nothing(room, flavour, dialect.name())?;
    }
    // One defect is enough: what is shown is that the whole chain from a fault to a filed trace works.
    dies_of(room, flavour, &registry, &room.crash("guest_memory", "GM-01"))
}

fn finds_nothing(room: &Room, flavour: Flavour<'_>, component: &str) -> Result<(), Trouble> {
    // libFuzzer writes what it finds interesting to the corpus it is given; the committed one must stay as it is.
    let corpus = tempfile::tempdir()?;
    for seed in room.seeds(component)? {
        std::fs::copy(&seed, corpus.path().join(seed.file_name().unwrap_or_default()))?;
    }
    let (inputs, seed, time) =
        (format!("-runs={INPUTS}"), format!("-seed={SEED}"), format!("-max_total_time={MOST_SECONDS}"));
    let run = cargo_fuzz(room, flavour, "run", component).with([corpus.path()]);
    let printed = run.with(["--", &inputs, &seed, &time, "-print_final_stats=1"]).keep()?;
    if printed.code != Some(0) {
        return Err(Trouble::Failed(format!("{component}: {}", last_lines(&printed.err))));
    }
    let inputs = printed.err.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    match inputs.and_then(|number| number.trim().parse::<u64>().ok()) {
        Some(inputs) if LEAST_INPUTS <= inputs => Ok(()),
        inputs => Err(Trouble::Failed(format!("{component} ran {inputs:?} inputs"))),
    }
}

/// The target dies of the trace, and says so with the signature that the trace expects.
fn dies_of(room: &Room, flavour: Flavour<'_>, registry: &Registry, trace: &Path) -> Result<(), Trouble> {
    let loaded = load(registry, trace)?;
    let expected = loaded.header.expect.unwrap_or_default();
    let printed = cargo_fuzz(room, flavour, "run", loaded.dialect.name()).with([trace]).keep()?;
    let wanted = format!("memtwin: finding: {expected} on");
    if printed.code != Some(0) && !expected.is_empty() && printed.err.contains(&wanted) {
        return Ok(());
    }
    let end = last_lines(&printed.err);
    Err(Trouble::Failed(format!("{}: exit code {:?}, expected {expected}: {end}", trace.display(), printed.code)))
}

fn cargo_fuzz(room: &Room, flavour: Flavour<'_>, verb: &str, target: &str) -> Run {
    match flavour {
        Flavour::Stable => Run::cargo(&room.root, ["fuzz", verb, "-s", "none", target]),
        Flavour::AddressSanitizer(nightly) => Run::cargo_of(&room.root, nightly, ["fuzz", verb, target]),
    }
}
