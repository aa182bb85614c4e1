//! The command line as it was typed: whatever is wrong with it is one line on standard error. It knows no verb.

use super::{Exit, screen};
use crate::program;
use clap::Parser;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use std::ffi::OsString;
use std::process::ExitCode;

/// The arguments, or the exit code where there is nothing to run: help, which ends with this text, and the version are
/// printed as they are.
pub(super) fn parse<A: Parser>(after_help: String) -> Result<A, ExitCode> {
    let command = A::command().after_help(after_help);
    let matches = command.try_get_matches().and_then(|mut matches| A::from_arg_matches_mut(&mut matches));
    matches.map_err(|error| {
        if error.use_stderr() {
            let wrong = || line(&error, &verb(&A::command(), std::env::args_os().skip(1)));
            screen::complain(&left_out(&error).unwrap_or_else(wrong));
            return ExitCode::from(Exit::CouldNotRun as u8);
        }
        // A reader that went away has seen enough.
        let _ = error.print();
        ExitCode::SUCCESS
    })
}

/// The verbs that a program has with a feature of the crate `memtwin` alone, and the feature.
pub const VERBS_OF_FEATURES: [(&str, &str); 13] = [
    ("afl", "nightly"),
    ("bench", "bench"),
    ("compare", "report"),
    ("completions", "terminal"),
    ("corpus", "collection"),
    ("export", "report"),
    ("merge", "report"),
    ("new", "new"),
    ("nightly", "nightly"),
    ("record", "record"),
    ("regress", "collection"),
    ("report", "report"),
    ("witness", "witness"),
];

/// A verb that this program could have.
fn left_out(error: &Error) -> Option<String> {
    let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let (_, feature) = VERBS_OF_FEATURES.iter().find(|(known, _)| known == verb)?;
    Some(format!("`{verb}` is not part of this program: build it with memtwin's feature \"{feature}\""))
}

/// The program and the verbs that were asked for.
fn verb(command: &clap::Command, arguments: impl Iterator<Item = OsString>) -> String {
    let mut verb = program::called();
    let mut command = command;
    for name in arguments {
        let Some(below) = command.find_subcommand(name) else { break };
        command = below;
        verb.push_str(&format!(" {}", command.get_name()));
    }
    verb
}

/// What is wrong, the hints, and where to read more, on one line.
fn line(error: &Error, verb: &str) -> String {
    let text = error.render().to_string();
    let (said, _) = text.split_once("Usage:").unwrap_or((&text, ""));
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return format!("{verb} needs one more word; see `{verb} --help`");
    }
    let mut line = String::new();
    for part in said.lines().map(str::trim).filter(|part| !part.is_empty() && !part.starts_with("For more information"))
    {
        // A list of what is possible, or of what is missing, belongs to the sentence before it.
        let is_list = part.starts_with(['[', '<', '-']);
        line.push_str(if line.is_empty() {
            ""
        } else if is_list {
            " "
        } else {
            "; "
        });
        line.push_str(part);
    }
    format!("{}; see `{verb} --help`", line.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[derive(Debug, Parser)]
    #[command(name = "memtwin")]
    enum Arguments {
        Fuzz {
            #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8))]
            workers: Option<u16>,
            #[arg(long, value_parser = ["guided", "random"])]
            engine: Option<String>,
        },
        Merge {
            #[arg(required = true)]
            runs: Vec<String>,
            #[arg(long)]
            out: String,
        },
    }

    #[test]
    fn a_verb_that_was_left_out_is_named_with_its_feature() {
        let said = |arguments: &[&str]| left_out(&Arguments::try_parse_from(arguments).unwrap_err());
        let record = "`record` is not part of this program: build it with memtwin's feature \"record\"";
        assert_eq!(said(&["memtwin", "record", "--judge", "true"]).as_deref(), Some(record));
        assert_eq!(said(&["memtwin", "fuz"]), None);
        assert_eq!(said(&["memtwin", "fuzz", "record"]), None);
    }

    #[test]
    fn each_error_is_a_line_with_its_hints() {
        for (arguments, expected) in [
            (
                &["fuzz", "--workers", "0"][..],
                "invalid value '0' for '--workers <N>': 0 is not in 1..=8; see `memtwin fuzz --help`",
            ),
            (
                &["fuzz", "--worker", "1"],
                "unexpected argument '--worker' found; tip: a similar argument exists: '--workers'; see `memtwin fuzz \
                 --help`",
            ),
            (
                &["fuzz", "--engine", "x"],
                "invalid value 'x' for '--engine <ENGINE>' [possible values: guided, random]; see `memtwin fuzz \
                 --help`",
            ),
            (&["fuz"], "unrecognized subcommand 'fuz'; tip: a similar subcommand exists: 'fuzz'; see `memtwin --help`"),
            (
                &["merge"],
                "the following required arguments were not provided: --out <OUT> <RUNS>...; see `memtwin merge --help`",
            ),
            (&[], "memtwin needs one more word; see `memtwin --help`"),
        ] {
            let error = Arguments::try_parse_from([&["memtwin"], arguments].concat()).unwrap_err();
            let verb = verb(&Arguments::command(), arguments.iter().map(OsString::from));
            assert_eq!(line(&error, &verb), expected, "{arguments:?}");
        }
    }
}
