//! The command line of a program: the core's verbs, and those that the features bring. Each verb is a thin file of its
//! own.

#[cfg(feature = "nightly")]
mod afl;
#[cfg(feature = "report")]
mod compare;
#[cfg(feature = "report")]
mod export;
#[cfg(feature = "report")]
mod merge;
#[cfg(feature = "new")]
mod new;
#[cfg(feature = "nightly")]
mod nightly;
#[cfg(feature = "record")]
mod record;
#[cfg(feature = "report")]
mod report;
#[cfg(feature = "witness")]
mod witness;

use clap::Subcommand;
pub use memtwin_core::cli::{Context, Exit, Failed, Verbs, main_with, screen};
#[cfg(feature = "nightly")]
use memtwin_core::program;
use memtwin_core::registry::Registry;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Core(memtwin_core::cli::Verb),
    /// Tell a run file as HTML, JUnit, SARIF or Markdown
    #[cfg(feature = "report")]
    Report(report::Report),
    /// Compare two run files: what is new, what is fixed, how fast
    #[cfg(feature = "report")]
    Compare(compare::Compare),
    /// Merge the run files of many machines into one
    #[cfg(feature = "report")]
    Merge(merge::Merge),
    /// Write a finding as a test that needs nothing of memtwin
    #[cfg(feature = "report")]
    Export(export::Export),
    /// Record what a program asks of its allocator as traces of heap, and judge the allocator
    #[cfg(feature = "record")]
    Record(record::Record),
    /// Fuzz every component with every engine for a given time, and report
    #[cfg(feature = "nightly")]
    Nightly(nightly::Nightly),
    /// Run AFL++ on several cores and hosts, and shrink what it finds
    #[cfg(feature = "nightly")]
    Afl(afl::Afl),
    /// Write a crate that puts a subject of your own to the test
    #[cfg(feature = "new")]
    New(new::New),
    /// Compare the models' page walks with hardware and other projects' code
    #[cfg(feature = "witness")]
    Witness(witness::Witness),
}

impl Verbs for Verb {
    fn unasked() -> Self {
        Verb::Core(memtwin_core::cli::Verb::unasked())
    }

    fn traces(&self) -> &[PathBuf] {
        match self {
            Verb::Core(verb) => verb.traces(),
            #[cfg(feature = "report")]
            Verb::Export(verb) => verb.traces(),
            #[cfg(any(
                feature = "new",
                feature = "nightly",
                feature = "record",
                feature = "report",
                feature = "witness"
            ))]
            _ => &[],
        }
    }

    fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        match self {
            Verb::Core(verb) => verb.run(context),
            #[cfg(feature = "report")]
            Verb::Report(verb) => verb.run(context),
            #[cfg(feature = "report")]
            Verb::Compare(verb) => verb.run(),
            #[cfg(feature = "report")]
            Verb::Merge(verb) => verb.run(),
            #[cfg(feature = "report")]
            Verb::Export(verb) => verb.run(context),
            #[cfg(feature = "nightly")]
            Verb::Nightly(verb) => verb.run(context),
            #[cfg(feature = "nightly")]
            Verb::Afl(verb) => verb.run(context),
            #[cfg(feature = "new")]
            Verb::New(verb) => verb.run(),
            #[cfg(feature = "record")]
            Verb::Record(verb) => verb.run(context),
            #[cfg(feature = "witness")]
            Verb::Witness(verb) => verb.run(context),
        }
    }
}

/// The `main` of a program with these subjects: memtwin's own, or one made by [`crate::main!`].
#[must_use]
pub fn main(registry: &Registry) -> ExitCode {
    main_with::<Verb>(registry)
}

/// Fuzz targets are programs of their own, which know no library that the command line names.
#[cfg(feature = "nightly")]
fn refuse_libraries(context: &Context<'_>, verb: &str) -> Result<(), Failed> {
    if context.registry.libraries().is_empty() {
        return Ok(());
    }
    Err(format!("{verb} runs the subjects of this program; for a library there is `{} fuzz`", program::called()).into())
}

/// A run file without a subject and without a trace is no reason to call anything well.
#[cfg(feature = "report")]
fn says_nothing(path: &std::path::Path) -> Failed {
    format!("{} says nothing: it holds no subject and no trace", path.display()).into()
}

#[cfg(all(test, feature = "default"))]
mod tests {
    use super::Verb;
    use clap::Subcommand as _;
    use memtwin_core::cli::VERBS_OF_FEATURES;

    /// What a light program says of a verb that it does not have is true: with the feature there is such a verb.
    #[test]
    fn verbs_of_features_are_verbs_and_features() {
        let manifest = include_str!("../../Cargo.toml");
        for (verb, feature) in VERBS_OF_FEATURES {
            assert!(Verb::has_subcommand(verb), "{verb}");
            assert!(manifest.contains(&format!("\n{feature} = [")), "{feature}");
        }
    }
}
