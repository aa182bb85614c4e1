//! `memtwin convert`: wire bytes to JSON lines and back.

use super::{Context, Exit, Failed};
use crate::files::write_atomically;
use crate::trace_files::load;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Convert {
    /// The trace file, in either form
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The form to write
    #[arg(long, value_enum)]
    to: Form,
    /// The file to write
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// Wire bytes, as fuzzers keep them
    Wire,
    /// JSON lines, for people
    Jsonl,
}

impl Convert {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let loaded = load(context.registry, &self.file)?;
        let bytes = match self.to {
            Form::Wire => loaded.dialect.canonical(&loaded.wire),
            Form::Jsonl => loaded.dialect.print(&loaded.wire, &loaded.header).into_bytes(),
        };
        write_atomically(&self.output, &bytes)
            .map_err(|error| format!("cannot write {}: {error}", self.output.display()))?;
        Ok(Exit::Clean)
    }
}
