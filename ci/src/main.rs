//! What CI runs, as code: `cargo xtask ci` here and on any CI service is the same. It knows no service, and it never
//! changes a file of the repository except through `cargo xtask generate`.
#![forbid(unsafe_code)]

mod attack;
mod feedback;
mod gates;
mod generate;
mod libfuzzer;
mod matrix;
mod oss_fuzz;
mod report;
mod room;
mod run_file;
mod steps;
mod toolchain;
mod vocabulary;

use clap::{Parser, Subcommand};
use room::Room;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Replays for the matrix run in workers of this program, which need an allocator that knows their limits.
#[global_allocator]
static ALLOCATOR: memtwin::isolate::heap::CountingAllocator = memtwin::isolate::heap::CountingAllocator;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "What CI runs, as code")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the fast lane; with --full everything. All steps run, then a table says how each ended
    Ci(report::Ci),
    /// Attack the program with bad files, kills, full disks and lost readers, and say where it does not stand
    Attack(attack::Attack),
    /// Plant a fault for every step in a copy of the tree, and say which step does not see it
    Gates(gates::Gates),
    /// Write the generated parts of README.md, ci/README.md and docs/matrix.md anew
    Generate {
        /// Write nothing; say what is out of date and fail
        #[arg(long)]
        check: bool,
    },
    /// Build the fuzz targets as ClusterFuzzLite and OSS-Fuzz do, and hold the result to their contract
    OssFuzzCheck(oss_fuzz::OssFuzzCheck),
    /// Measure what it is worth that fuzzers hear of the model's features
    Feedback(feedback::Feedback),
}

/// Becomes true at Ctrl-C from now on, so that fuzzers are ended in order; a second one ends this program.
fn interrupted() -> std::io::Result<Arc<AtomicBool>> {
    Ok(memtwin::isolate::interrupts()?.flag)
}

fn main() -> ExitCode {
    memtwin::isolate::serve_if_asked(&memtwin::built_in());
    let room = Room::of_this_repository();
    let result = match Arguments::parse().verb {
        Verb::Ci(ci) => ci.run(&room),
        Verb::Attack(attack) => attack.run(&room),
        Verb::Gates(gates) => gates.run(&room),
        Verb::Generate { check } => generate::generate(&room, check),
        Verb::OssFuzzCheck(check) => check.run(&room),
        Verb::Feedback(feedback) => feedback.run(&room),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}
