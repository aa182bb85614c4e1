//! cargo-fuzz: how the targets are built and run from the committed seeds. It judges nothing, and leaves the folders of
//! the repository as they are.

use crate::room::Room;
use memtwin::drivers::command::{Printed, Run, Trouble};
use memtwin::drivers::seeds;
use std::path::Path;

/// The most time a session may take, in seconds.
const MOST_SECONDS: u32 = 120;

/// A compiler and what it instruments.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flavour<'a> {
    /// The toolchain in use, no sanitizer.
    Stable,
    /// This nightly with AddressSanitizer.
    AddressSanitizer(&'a str),
}

/// A run of a component's target. A number of inputs and a seed instead of a time, so that it does the same on every
/// machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) flavour: Flavour<'a>,
    pub(crate) component: &'a str,
    /// The one subject to run on, in place of every sound one.
    pub(crate) subject: Option<&'a str>,
    pub(crate) inputs: u64,
    pub(crate) seed: u64,
    /// Whether libFuzzer hears of the model's features.
    pub(crate) feedback: bool,
    /// Whether a parent shrinks and files what the target dies of.
    pub(crate) supervised: bool,
}

impl Session<'_> {
    /// Runs it. libFuzzer puts what it finds interesting beside the seeds that are copied to this folder.
    pub(crate) fn run(&self, room: &Room, corpus: &Path) -> Result<Printed, Trouble> {
        seeds::copy(&room.project(), self.component, self.subject, corpus)?;
        // What an unsupervised run dies of is filed by nobody else, so it must stay.
        let artifacts = room.target().join("libfuzzer").join(self.component);
        std::fs::create_dir_all(&artifacts)?;
        let options = [
            format!("-runs={}", self.inputs),
            format!("-seed={}", self.seed),
            format!("-max_total_time={MOST_SECONDS}"),
            format!("-artifact_prefix={}/", artifacts.display()),
            "-print_final_stats=1".to_owned(),
        ];
        let run = cargo_fuzz(room, self.flavour, "run", self.component)
            .with([corpus])
            .with(["--"])
            .with(&options)
            .env("MEMTWIN_SUBJECT", self.subject.unwrap_or_default())
            .env("MEMTWIN_FEEDBACK", if self.feedback { "on" } else { "off" });
        if self.supervised { run.keep() } else { run.env("MEMTWIN_SUPERVISED", "1").keep() }
    }
}

/// How many inputs libFuzzer says it ran.
pub(crate) fn inputs_run(printed: &Printed) -> Option<u64> {
    let inputs = printed.err.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    inputs.trim().parse().ok()
}

/// `cargo fuzz verb target`.
pub(crate) fn cargo_fuzz(room: &Room, flavour: Flavour<'_>, verb: &str, target: &str) -> Run {
    match flavour {
        Flavour::Stable => Run::cargo(&room.root, ["fuzz", verb, "-s", "none", target]),
        Flavour::AddressSanitizer(nightly) => Run::cargo_of(&room.root, nightly, ["fuzz", verb, target]),
    }
}

/// Whether there is a cargo-fuzz.
pub(crate) fn needs_cargo_fuzz(room: &Room) -> Result<(), Trouble> {
    if Run::cargo(&room.root, ["fuzz", "--version"]).probe() {
        return Ok(());
    }
    let remedy = "cargo install cargo-fuzz --locked".to_owned();
    Err(Trouble::Skipped { why: "no cargo-fuzz".to_owned(), remedy })
}
