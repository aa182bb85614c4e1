//! `memtwin export`: a finding in a form that others can run.

use super::{Context, Exit, Failed};
use crate::export::{c_program, rust_test};
use clap::{Args, ValueEnum};
use memtwin_core::cli::select;
use memtwin_core::explain::Telling;
use memtwin_core::files::write_atomically;
use memtwin_core::text::tame;
use memtwin_core::trace_files::load;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The trace file
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The form to write
    #[arg(long, value_enum)]
    to: Form,
    /// The subject that the test's comment names instead of the trace's
    #[arg(long, value_name = "S")]
    subject: Option<String>,
    /// The file to write; without it the text is printed
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// A Rust file with one test that needs nothing of memtwin
    RustTest,
    /// A program in C that calls the malloc family; it returns 0 when every call keeps its promises
    C,
}

impl Export {
    pub(super) fn traces(&self) -> &[PathBuf] {
        std::slice::from_ref(&self.trace)
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let loaded = load(context.registry, &self.trace)?;
        let subject = self.subject.as_ref().or(loaded.header.subject.as_ref());
        let target = match subject {
            Some(subject) => Some(select::target(context.registry, loaded.dialect.name(), subject)?),
            None => None,
        };
        if !loaded.header.known.is_empty() {
            return Err(format!(
                "{} goes on behind known findings ({}), at which a test without memtwin would end: export a trace \
                 without them",
                self.trace.display(),
                loaded.header.known.join(", ")
            )
            .into());
        }
        let name = self.trace.to_string_lossy();
        let telling = Telling { dialect: loaded.dialect, wire: &loaded.wire, header: &loaded.header, name: &name };
        let text = match self.to {
            Form::RustTest => rust_test(&telling, subject.map(String::as_str), &context.interrupted)?,
            Form::C => {
                let target = target.and_then(|index| context.registry.get(index));
                let claimed = target.map(memtwin_core::Target::claimed).unwrap_or_default();
                c_program(&telling, subject.map(String::as_str), &claimed, &context.interrupted)?
            }
        };
        let Some(text) = text else { return Ok(Exit::Interrupted) };
        match &self.output {
            Some(path) => write_atomically(path, text.as_bytes())
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?,
            None => write!(std::io::stdout(), "{}", tame(&text))?,
        }
        Ok(Exit::Clean)
    }
}
