//! Steps that run cargo-fuzz: a short run on every component's target must find nothing, and a committed trace of a
//! defect must kill it with the signature that the trace expects. Narrowed to a subject with a defect it must find that
//! itself, and what it files must replay.

use crate::libfuzzer::{Flavour, Session, cargo_fuzz, inputs_run, needs_cargo_fuzz};
use crate::room::Room;
use crate::toolchain::nightly;
use memtwin::Registry;
use memtwin::drivers::command::{Run, Trouble, last_lines};
use memtwin::trace_files::load;
use std::path::Path;

/// How many inputs a target runs. A number and a seed instead of a time, so that the step says the same of the same
/// code on every machine; looking further, with other seeds, is what nightly runs are for.
const INPUTS: u64 = 30_000;
const SEED: u64 = 1337;
/// A target that ran fewer inputs than this has shown nothing.
const LEAST_INPUTS: u64 = 500;
/// A defect of each component. The seeds that show it are left out, so it must be looked for.
pub(super) const DEFECTS: [(&str, &str); 6] = [
    ("guest_memory", "GM-06"),
    ("brk_heap", "BH-08"),
    ("heap", "HP-16"),
    ("header_free", "HF-11"),
    ("page_walk", "PW-20"),
    ("temp_map", "TM-08"),
];

pub(super) fn stable(room: &Room) -> Result<(), Trouble> {
    smoke(room, Flavour::Stable)
}

pub(super) fn address_sanitizer(room: &Room) -> Result<(), Trouble> {
    smoke(room, Flavour::AddressSanitizer(&nightly(room)?))
}

pub(super) fn stable_finds(room: &Room) -> Result<(), Trouble> {
    finds_defects(room, Flavour::Stable)
}

pub(super) fn address_sanitizer_finds(room: &Room) -> Result<(), Trouble> {
    finds_defects(room, Flavour::AddressSanitizer(&nightly(room)?))
}

/// `cargo fuzz cmin` throws away what adds nothing, and no committed seed.
pub(super) fn cmin(room: &Room) -> Result<(), Trouble> {
    needs_cargo_fuzz(room)?;
    let (component, flavour) = ("brk_heap", Flavour::Stable);
    // cargo-fuzz moves folders, which only one file system can.
    let place = tempfile::tempdir_in(room.target())?;
    let corpus = place.path().join(component);
    session(flavour, component, None).run(room, &corpus)?.success()?;
    std::fs::write(corpus.join("adds-nothing"), [0])?;
    cargo_fuzz(room, flavour, "cmin", component).with([&corpus]).pass()?;
    for seed in room.project().seeds(component)? {
        let kept = corpus.join(seed.file_name().unwrap_or_default());
        if !std::fs::read(&kept).is_ok_and(|bytes| std::fs::read(&seed).is_ok_and(|committed| committed == bytes)) {
            return Err(Trouble::Failed(format!("{} is not what it was after cargo fuzz cmin", kept.display())));
        }
    }
    let is_spare = corpus.join("adds-nothing").exists();
    if is_spare { Err(Trouble::Failed("cargo fuzz cmin has thrown nothing away".to_owned())) } else { Ok(()) }
}

/// A line that says how to replay a finding is a command that succeeds.
pub(super) fn replays(room: &Room, line: &str) -> Result<(), Trouble> {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default();
    Run::new(&room.root, program, words).pass()
}

fn smoke(room: &Room, flavour: Flavour<'_>) -> Result<(), Trouble> {
    needs_cargo_fuzz(room)?;
    let registry = memtwin::built_in();
    for dialect in registry.dialects() {
        cargo_fuzz(room, flavour, "build", dialect.name()).pass()?;
        finds_nothing(room, flavour, dialect.name())?;
    }
    // One defect is enough: what is shown is that the whole chain from a fault to a filed trace works.
    dies_of(room, flavour, &registry, &room.crash("guest_memory", "GM-01"))
}

fn finds_nothing(room: &Room, flavour: Flavour<'_>, component: &str) -> Result<(), Trouble> {
    let corpus = tempfile::tempdir()?;
    let printed = session(flavour, component, None).run(room, corpus.path())?;
    if printed.code != Some(0) {
        return Err(Trouble::Failed(format!("{component}: {}", what_it_died_of(&printed.err))));
    }
    match inputs_run(&printed) {
        Some(inputs) if LEAST_INPUTS <= inputs => Ok(()),
        inputs => Err(Trouble::Failed(format!("{component} ran {inputs:?} inputs"))),
    }
}

fn finds_defects(room: &Room, flavour: Flavour<'_>) -> Result<(), Trouble> {
    needs_cargo_fuzz(room)?;
    for (component, subject) in DEFECTS {
        cargo_fuzz(room, flavour, "build", component).pass()?;
        let corpus = tempfile::tempdir()?;
        let printed = session(flavour, component, Some(subject)).run(room, corpus.path())?;
        let line = replay_line(&printed.err, component, subject).filter(|_| printed.code != Some(0));
        let Some(line) = line else {
            let (code, end) = (printed.code, last_lines(&printed.err));
            return Err(Trouble::Failed(format!("{subject} was not found and filed, exit code {code:?}: {end}")));
        };
        replays(room, line)?;
    }
    Ok(())
}

/// What memtwin said, and where the input lies, which stands far above the end where backtraces are on; else the end.
fn what_it_died_of(printed: &str) -> String {
    let is_told = |line: &&str| line.starts_with("memtwin: ") || line.contains("Test unit written to ");
    let told: Vec<&str> = printed.lines().filter(is_told).collect();
    if told.is_empty() { last_lines(printed) } else { told.join("\n") }
}

/// The line that replays a finding on this subject.
fn replay_line<'a>(printed: &'a str, component: &str, subject: &str) -> Option<&'a str> {
    let mut said = printed.lines().filter_map(|line| line.strip_prefix("memtwin: "));
    let on_it = format!(" on {component}/{subject}");
    said.find(|line| line.starts_with("finding: ") && line.ends_with(&on_it))?;
    said.find_map(|line| line.strip_prefix("replay:"))
}

fn session<'a>(flavour: Flavour<'a>, component: &'a str, subject: Option<&'a str>) -> Session<'a> {
    Session { flavour, component, subject, inputs: INPUTS, seed: SEED, feedback: true, supervised: true }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_died_of_is_told_from_above_the_backtrace() {
        let backtrace = "   0: anyhow::error\n".repeat(20);
        let told = "memtwin: heap/libc diverged: heap/aligned/malloc/block";
        let unit = "artifact_prefix='x/'; Test unit written to x/crash-1";
        assert_eq!(what_it_died_of(&format!("#1\n{told}\nnoise\n{unit}\n{backtrace}")), format!("{told}\n{unit}"));
        assert_eq!(what_it_died_of("==1== ERROR: out of memory\n"), "==1== ERROR: out of memory");
    }

    #[test]
    fn a_finding_on_another_subject_is_not_the_one_looked_for() {
        let printed = "\
INFO: Seed: 1337
memtwin: finding: brk_heap/oracle/malloc/result on brk_heap/BH-10
memtwin: 90 ops became 3
memtwin: replay:  cargo run --release -- replay target/memtwin/brk_heap/BH-10-oracle-malloc-result.jsonl
";
        let line = replay_line(printed, "brk_heap", "BH-10").unwrap_or_default();
        assert!(line.trim().starts_with("cargo run"), "{line}");
        assert_eq!(replay_line(printed, "brk_heap", "BH-1"), None);
        assert_eq!(replay_line(&printed.replace("replay:", "explain:"), "brk_heap", "BH-10"), None);
    }
}
