//! The command line. Each verb is a thin file of its own; only here and there anything is printed.

mod accept;
mod arguments;
mod bar;
#[cfg(feature = "bench")]
mod bench;
mod check;
mod convert;
#[cfg(feature = "collection")]
mod corpus;
mod doctor;
mod exhaustive;
mod explain;
mod fuzz;
pub mod known;
mod libraries;
mod list;
#[cfg(feature = "collection")]
mod regress;
mod replay;
pub mod screen;
pub mod select;
mod shrink;
mod vocabulary;

pub use arguments::VERBS_OF_FEATURES;
pub use fuzz::parse_time;

use crate::isolate;
use crate::program;
use crate::registry::Registry;
use crate::text;
use clap::{Parser, Subcommand};
#[cfg(feature = "terminal")]
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// As expected.
    Clean = 0,
    /// An unexpected finding, or a defect that was missed.
    Finding = 1,
    /// The command could not run.
    CouldNotRun = 2,
    /// Interrupted; what there was is saved. The code is that of the signal: 130, 143 or 129.
    Interrupted = 130,
}

const LONG_ABOUT: &str = "\
memtwin runs memory components beside simple reference models, op by op, and reports the first step at which the two \
                          part ways, or at which the component faults. Subjects run in sandboxed worker processes; a \
                          crash is a finding.

Without a command it checks itself: every known defect must be caught, every sound subject must agree.";

/// What the program's help ends with: examples that it can run.
fn after_help(registry: &Registry) -> String {
    let name = program::name();
    let component = registry.dialects().next().map_or("COMPONENT", crate::target::Dialect::name);
    let mut examples = vec![
        (String::new(), "check everything"),
        (format!("fuzz {component} --time 5m"), "look for bugs in the sound subjects of a component"),
    ];
    if let Some(broken) = registry.targets().find(|target| !target.is_sound()) {
        examples.push((format!("fuzz {}", broken.name()), "watch one known defect being caught"));
    }
    examples.push(("replay target/memtwin".to_owned(), "replay every trace that was found"));
    examples.push(("explain target/memtwin/TRACE".to_owned(), "tell the story of one"));
    let examples: String =
        examples.iter().map(|(verb, what)| format!("  {:<47} {what}\n", format!("{name} {verb}"))).collect();
    format!(
        "\
Examples:
{examples}
Exit codes: 0 as expected; 1 unexpected finding or missed defect; 2 could not run, or not judged;
130, 143, 129 ended by SIGINT (Ctrl-C), SIGTERM, SIGHUP: what was found until then is saved.
A second signal ends it at once.
What a run finds goes below target/memtwin/ unless --out says otherwise."
    )
}

#[derive(Debug, Parser)]
#[command(name = "memtwin", version, about = "Differential fuzzing for memory components", long_about = LONG_ABOUT)]
struct Arguments<V: Subcommand> {
    #[command(subcommand)]
    verb: Option<V>,
    #[command(flatten)]
    libraries: libraries::Libraries,
}

/// What a program can do: the verbs of [`Verb`], alone or with more.
pub trait Verbs: Subcommand {
    /// The verb where none is given.
    fn unasked() -> Self;
    /// The traces that it is given, files or folders: they may name libraries.
    fn traces(&self) -> &[PathBuf] {
        &[]
    }
    /// Does what was asked.
    fn run(&self, context: &Context<'_>) -> Result<Exit, Failed>;
}

/// The verbs of every program.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Catch every known defect, then run the sound subjects: proof that all is well (the default)
    Check(check::Check),
    /// Run subjects on random traces, looking for the first divergence
    Fuzz(fuzz::Fuzz),
    /// Run every short trace over a small set of operands
    Exhaustive(exhaustive::Exhaustive),
    /// List components and subjects, with what each claims
    List(list::List),
    /// Replay traces, or all traces of folders, and say which behave as expected
    Replay(replay::Replay),
    /// Replay committed traces on every subject, and say what is new, fixed or still failing
    #[cfg(feature = "collection")]
    Regress(regress::Regress),
    /// Run one trace again and tell its story step by step
    Explain(explain::Explain),
    /// Shrink a failing trace, keeping its signature
    Shrink(shrink::Shrink),
    /// Convert a trace between wire bytes and JSON lines
    Convert(convert::Convert),
    /// Shrink a finding, name it, and file it under crashes/
    Accept(accept::Accept),
    /// Minimise, merge, check or migrate a folder of engines' inputs
    #[cfg(feature = "collection")]
    Corpus(corpus::Corpus),
    /// Measure how soon known defects are caught
    #[cfg(feature = "bench")]
    Bench(bench::Bench),
    /// Say what this machine has for fuzzing, and how to get what is missing
    Doctor(doctor::Doctor),
    /// Print a completion script for a shell
    #[cfg(feature = "terminal")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What every verb works with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The subjects.
    pub registry: &'a Registry,
    /// Becomes true when the user wants an end.
    pub interrupted: Arc<AtomicBool>,
    /// The whole command line.
    #[cfg(any(feature = "collection", feature = "terminal"))]
    command: fn() -> clap::Command,
}

#[cfg(feature = "collection")]
impl Context<'_> {
    /// Whether this program has a verb that not every program has.
    fn has_verb(&self, name: &str) -> bool {
        (self.command)().find_subcommand(name).is_some()
    }
}

/// An operating error, as one line.
pub type Failed = Box<dyn std::error::Error>;

/// The `main` of a program with these subjects and the verbs of [`Verb`].
#[must_use]
pub fn main(registry: &Registry) -> ExitCode {
    main_with::<Verb>(registry)
}

/// The `main` of a program with these subjects and verbs.
#[must_use]
pub fn main_with<V: Verbs>(registry: &Registry) -> ExitCode {
    if isolate::is_zygote() {
        isolate::serve_if_asked(&registry.with_environment());
    }
    program::note(std::env::args_os().next());
    if let Err(why) = has_room() {
        screen::complain(&why);
        return ExitCode::from(Exit::CouldNotRun as u8);
    }
    let arguments = match arguments::parse::<Arguments<V>>(after_help(registry)) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let verb = arguments.verb.unwrap_or_else(V::unasked);
    let registry = match arguments.libraries.added_to(registry, verb.traces()) {
        Ok(registry) => registry,
        Err(why) => {
            screen::complain(&why);
            return ExitCode::from(Exit::CouldNotRun as u8);
        }
    };
    if let Some(why) = registry.trouble() {
        screen::complain(&text::line(&why));
        return ExitCode::from(Exit::CouldNotRun as u8);
    }
    let interrupts = match isolate::interrupts() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            screen::complain(&format!("cannot listen for signals: {error}"));
            return ExitCode::from(Exit::CouldNotRun as u8);
        }
    };
    if isolate::has_address_sanitizer() {
        screen::remark("built with AddressSanitizer: subjects run without the sandbox");
    }
    let context = Context {
        registry: &registry,
        interrupted: Arc::clone(&interrupts.flag),
        #[cfg(any(feature = "collection", feature = "terminal"))]
        command: <Arguments<V> as clap::CommandFactory>::command,
    };
    let result = verb.run(&context);
    isolate::take_disturbances().iter().for_each(|what| screen::remark(what));
    match result {
        Ok(Exit::Interrupted) => ExitCode::from(interrupts.exit_code()),
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            screen::complain(&words(&*error));
            ExitCode::from(Exit::CouldNotRun as u8)
        }
    }
}

/// What a verb that judges nothing had to say, and nobody stayed to hear (`memtwin list | head`), is no error.
fn unheard(error: Failed) -> Result<Exit, Failed> {
    if is_reader_gone(&*error) { Ok(Exit::Clean) } else { Err(error) }
}

fn is_reader_gone(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// An error as one line.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    if is_reader_gone(error) {
        // It may have had findings to read, so it is no success.
        return "nobody reads standard output any more, so not all was said".to_owned();
    }
    error.to_string()
}

/// Why a run that is not red is not green either.
fn left_unjudged(traces: u64) -> Failed {
    let traces = if traces == 1 { "1 trace was".to_owned() } else { format!("{traces} traces were") };
    format!("{traces} not judged: something outside of memtwin ended the workers, or they took too long; run it again")
        .into()
}

/// The least stack that a verb needs, in bytes.
const LEAST_STACK_BYTES: u64 = 1 << 20;

fn has_room() -> Result<(), String> {
    match nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_STACK) {
        Ok((soft, _)) if soft < LEAST_STACK_BYTES => Err(format!(
            "the stack may have {} KiB only, and memtwin needs {}: raise it with `ulimit -s`",
            soft >> 10,
            LEAST_STACK_BYTES >> 10
        )),
        Ok(_) | Err(_) => Ok(()),
    }
}

impl Verbs for Verb {
    fn unasked() -> Self {
        Verb::Check(check::Check::default())
    }

    fn traces(&self) -> &[PathBuf] {
        match self {
            Verb::Replay(verb) => verb.traces(),
            #[cfg(feature = "collection")]
            Verb::Regress(verb) => verb.traces(),
            Verb::Explain(verb) => verb.traces(),
            Verb::Shrink(verb) => verb.traces(),
            Verb::Accept(verb) => verb.traces(),
            Verb::Check(_)
            | Verb::Fuzz(_)
            | Verb::Exhaustive(_)
            | Verb::List(_)
            | Verb::Convert(_)
            | Verb::Doctor(_) => &[],
            #[cfg(feature = "collection")]
            Verb::Corpus(_) => &[],
            #[cfg(feature = "bench")]
            Verb::Bench(_) => &[],
            #[cfg(feature = "terminal")]
            Verb::Completions { .. } => &[],
        }
    }

    fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        match self {
            Verb::Check(verb) => verb.run(context),
            Verb::Fuzz(verb) => verb.run(context),
            Verb::Exhaustive(verb) => verb.run(context),
            Verb::List(verb) => verb.run(context).or_else(unheard),
            Verb::Replay(verb) => verb.run(context),
            #[cfg(feature = "collection")]
            Verb::Regress(verb) => verb.run(context),
            Verb::Explain(verb) => verb.run(context),
            Verb::Shrink(verb) => verb.run(context),
            Verb::Convert(verb) => verb.run(context),
            Verb::Accept(verb) => verb.run(context),
            #[cfg(feature = "collection")]
            Verb::Corpus(verb) => verb.run(context),
            #[cfg(feature = "bench")]
            Verb::Bench(verb) => verb.run(context),
            Verb::Doctor(verb) => verb.run().or_else(unheard),
            #[cfg(feature = "terminal")]
            Verb::Completions { shell } => {
                // Not straight to standard output: the generator panics when the reader goes away.
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut (context.command)(), "memtwin", &mut script);
                std::io::stdout().write_all(&script).map(|()| Exit::Clean).map_err(Failed::from).or_else(unheard)
            }
        }
    }
}
