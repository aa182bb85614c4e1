//! `cargo xtask oss-fuzz-check`: builds the fuzz targets with the real build script of ClusterFuzzLite and OSS-Fuzz, in
//! the environment that their image gives it, and holds the result to their contract. It needs no container, and what
//! only a container shows (the image's compilers, its libFuzzer, its libc) it does not know.

mod build;
mod contract;
mod programs;

use crate::room::Room;
use clap::{Args, ValueEnum};
use memtwin::drivers::command::Trouble;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What the image calls SANITIZER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sanitizer {
    /// For fuzzing
    Address,
    /// For coverage reports
    Coverage,
}

#[derive(Debug, Args)]
pub(crate) struct OssFuzzCheck {
    /// What the targets are built for, as SANITIZER in the image
    #[arg(long, value_enum, default_value_t = Sanitizer::Address)]
    sanitizer: Sanitizer,
    /// Build nothing; hold this folder to the contract
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl OssFuzzCheck {
    /// Whether the contract is kept.
    pub(crate) fn run(&self, room: &Room) -> Result<bool, Box<dyn std::error::Error>> {
        let ended = match &self.out {
            // The programs run there, so a relative path would mean something else to them.
            Some(out) => {
                hold(&out.canonicalize().map_err(|error| format!("{}: {error}", out.display()))?, self.sanitizer)
            }
            None => check(room, self.sanitizer),
        };
        match ended {
            Ok(()) => Ok(true),
            Err(Trouble::Failed(what)) => {
                writeln!(anstream::stdout(), "{what}")?;
                Ok(false)
            }
            Err(Trouble::Skipped { why, remedy }) => Err(format!("{why}; {remedy}").into()),
        }
    }
}

/// Builds, and holds the result to the contract.
pub(crate) fn check(room: &Room, sanitizer: Sanitizer) -> Result<(), Trouble> {
    hold(&build::build(room, sanitizer)?, sanitizer)
}

/// Holds a folder to the contract.
fn hold(out: &Path, sanitizer: Sanitizer) -> Result<(), Trouble> {
    let targets: BTreeSet<String> = memtwin::built_in().dialects().map(|dialect| dialect.name().to_owned()).collect();
    let mut offences = contract::offences(out, &targets)?;
    // Programs that are not there, or not what they should be, are not run.
    if offences.is_empty() {
        for target in &targets {
            offences.extend(programs::form_offences(out, target, sanitizer)?);
            offences.extend(match sanitizer {
                Sanitizer::Address => programs::fuzzing_offences(out, target)?,
                Sanitizer::Coverage => programs::coverage_offences(out, target)?,
            });
        }
    }
    if offences.is_empty() {
        let _ = writeln!(anstream::stdout(), "{} targets are as the contract wants them", targets.len());
        return Ok(());
    }
    Err(Trouble::Failed(offences.join("\n")))
}

#[cfg(test)]
mod tests;
