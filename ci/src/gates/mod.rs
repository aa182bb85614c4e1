//! `cargo xtask gates`: every step is seen to fail. Faults are planted in a copy of the tree, each step that must catch
//! one runs there, and must fail for that reason. The repository itself is never touched.

mod faults;
mod harm;
mod scratch;

use crate::room::Room;
use crate::steps::{Lane, STEPS};
use crate::toolchain::nightly;
use clap::Args;
use faults::{FAULTS, Fault, NO_FAULT, TESTS};
use memtwin::drivers::command::{Run, Trouble};
use scratch::Scratch;
use std::fmt::Write as _;
use std::io::Write as _;

/// The longest that the steps of one fault may take, in seconds: they build anew, and most then fail at once.
const LONGEST_SECONDS: &str = "2400";

#[derive(Debug, Clone, Args)]
pub(crate) struct Gates {
    /// Only this step; may be repeated
    #[arg(long, value_name = "STEP")]
    pub(crate) only: Vec<String>,
}

/// What became of a fault at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Caught,
    Skipped(String),
    Missed(String),
}

impl Gates {
    /// Whether no fault was missed.
    pub(crate) fn run(&self, room: &Room) -> Result<bool, Box<dyn std::error::Error>> {
        if let Some(name) = self.only.iter().find(|name| FAULTS.iter().all(|fault| fault.words_of(name).is_none())) {
            return Err(format!("no fault is planted for {name}").into());
        }
        Ok(self.missed(room).map_err(Trouble::into_error)?.is_empty())
    }

    /// The faults that were missed, in words. Each fault has a line.
    pub(crate) fn missed(&self, room: &Room) -> Result<Vec<String>, Trouble> {
        let scratch = Scratch::new(room)?;
        let is_chosen = |step: &str| self.only.is_empty() || self.only.iter().any(|name| name == step);
        let mut rows = Vec::new();
        // What fails without a fault proves nothing with one. The full lane has just run its own steps.
        let fast = STEPS.iter().filter(|step| step.lane == Lane::Fast).map(|step| step.name);
        let clean: Vec<_> = fast.filter(|step| is_chosen(step) && !SLOW.contains(step)).collect();
        let before = if clean.is_empty() { String::new() } else { scratch.run(&clean, &[], LONGEST_SECONDS)? };
        for fault in FAULTS {
            let caught_by: Vec<_> = fault.caught_by.iter().filter(|(step, _)| is_chosen(step)).copied().collect();
            if caught_by.is_empty() {
                continue;
            }
            let variables = match variables(room, fault) {
                Ok(variables) => variables,
                Err(Trouble::Skipped { why, .. }) => {
                    rows.extend(caught_by.iter().map(|(step, _)| (*step, fault.what, Seen::Skipped(why.clone()))));
                    continue;
                }
                Err(failed) => return Err(failed),
            };
            scratch.restore()?;
            (fault.plant)(scratch.tree())?;
            let steps: Vec<_> = fault.first.iter().copied().chain(caught_by.iter().map(|(step, _)| *step)).collect();
            let printed = scratch.run(&steps, &variables, LONGEST_SECONDS)?;
            for (step, words) in caught_by {
                let seen = match seen(&before, step, &[]) {
                    Seen::Caught => Seen::Missed("the step fails without the fault too".to_owned()),
                    Seen::Missed(_) | Seen::Skipped(_) => seen(&printed, step, words),
                };
                writeln!(anstream::stdout(), "{}", line(step, fault.what, &seen))?;
                rows.push((step, fault.what, seen));
            }
        }
        scratch.restore()?;
        let mut out = anstream::stdout();
        writeln!(out)?;
        rows.iter().try_for_each(|(step, what, seen)| writeln!(out, "{}", line(step, what, seen)))?;
        let missed = rows.iter().filter(|(_, _, seen)| matches!(seen, Seen::Missed(_)));
        Ok(missed.map(|(step, what, _)| format!("{step}: {what}")).collect())
    }
}

/// Fast steps that take too long to be run without a fault again.
const SLOW: &[&str] = &["test", "libfuzzer", "attack"];

fn variables(room: &Room, fault: &Fault) -> Result<Vec<(String, String)>, Trouble> {
    // Another toolchain takes the place of the one that runs this program.
    let toolchain = if fault.on_nightly { Some(nightly(room)?) } else { None };
    Ok(toolchain.into_iter().map(|name| ("RUSTUP_TOOLCHAIN".to_owned(), name)).collect())
}

/// How a step ended, by what `cargo xtask ci` printed; that of the tests is the whole of it.
fn seen(printed: &str, step: &str, words: &[&str]) -> Seen {
    let begin = format!("── {step}: ");
    let section = match printed.split_once(&begin) {
        Some((_, rest)) => rest.split("\n── ").next().unwrap_or_default(),
        None => return Seen::Missed("the step did not run".to_owned()),
    };
    let has = |word: &str| section.lines().find(|line| line.starts_with(&format!("{word}: {step}")));
    if let Some(line) = has("skipped") {
        let why = line.split_once(": ").map_or(line, |(_, why)| why);
        return Seen::Skipped(why.to_owned());
    }
    if has("FAILED").is_none() {
        return Seen::Missed("it did not fail".to_owned());
    }
    match words.iter().find(|word| !section.contains(**word)) {
        None => Seen::Caught,
        Some(word) => Seen::Missed(format!("it failed, and does not say {word:?}")),
    }
}

fn line(step: &str, what: &str, seen: &Seen) -> String {
    let (word, why) = match seen {
        Seen::Caught => ("caught", String::new()),
        Seen::Skipped(why) => ("skipped", format!(" ({why})")),
        Seen::Missed(why) => ("MISSED", format!(" ({why})")),
    };
    format!("{word:<8} {step:<16} {what}{why}")
}

/// The table of ci/README.md.
pub(crate) fn table() -> Result<String, std::fmt::Error> {
    let mut text = String::from("| Step | Lane | Planted fault |\n| --- | --- | --- |\n");
    let steps = STEPS.iter().map(|step| (step.name, if step.lane == Lane::Fast { "fast" } else { "full" }));
    for (name, lane) in steps.chain([(TESTS, "README.md")]) {
        let faults = FAULTS.iter().filter(|fault| fault.words_of(name).is_some()).map(|fault| fault.what);
        let none = NO_FAULT.iter().filter(|(step, _)| *step == name).map(|(_, why)| *why);
        let what: Vec<_> = faults.chain(none).collect();
        writeln!(text, "| `{name}` | {lane} | {} |", what.join("; "))?;
    }
    Ok(text)
}

/// `cargo test` in the copy, told as a step is.
fn tests(tree: &std::path::Path, target: &std::path::Path) -> Result<String, Trouble> {
    let run = Run::new(tree, "timeout", ["--kill-after=10", LONGEST_SECONDS, "cargo", "test"]);
    let printed = run.env("CARGO_TARGET_DIR", &target.to_string_lossy()).keep()?;
    let ending = if printed.code == Some(0) { "passed" } else { "FAILED" };
    Ok(format!("\n── {TESTS}: as README.md has it\n{}{}\n{ending}: {TESTS}\n", printed.out, printed.err))
}

#[cfg(test)]
mod tests_of_gates {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_step_has_a_fault_or_a_reason_and_every_fault_a_step() {
        let known: BTreeSet<_> = STEPS.iter().map(|step| step.name).chain([TESTS]).collect();
        let planted = FAULTS.iter().flat_map(|fault| fault.caught_by.iter().map(|(step, _)| *step));
        let covered: BTreeSet<_> = planted.chain(NO_FAULT.iter().map(|(step, _)| *step)).collect();
        assert_eq!(covered, known);
    }

    #[test]
    fn every_fault_can_be_planted() {
        // All in one copy: that is quick, and no fault takes away what another replaces.
        let folder = tempfile::tempdir().unwrap();
        scratch::copy(&Room::of_this_repository().root, folder.path()).unwrap();
        for fault in FAULTS {
            (fault.plant)(folder.path()).unwrap_or_else(|error| panic!("{}: {error}", fault.what));
        }
    }

    #[test]
    fn only_a_step_that_fails_for_the_reason_has_caught_it() {
        let printed = "── a: first\nFAILED: a (0.1 s): because of x\n\n── b: second\npassed: b (0.1 s)\n\n── c: \
                       third\nskipped: c: no tool; get it\n";
        assert_eq!(seen(printed, "a", &["because", "x"]), Seen::Caught);
        assert!(matches!(seen(printed, "a", &["y"]), Seen::Missed(_)));
        assert!(matches!(seen(printed, "b", &[]), Seen::Missed(_)));
        assert!(matches!(seen(printed, "c", &[]), Seen::Skipped(_)));
        assert!(matches!(seen(printed, "d", &[]), Seen::Missed(_)));
    }
}
