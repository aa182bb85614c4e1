//! `memtwin accept`: a finding becomes committed evidence under crashes/.

use super::shrink::shrink;
use super::{Context, Exit, Failed, screen};
use crate::files::write_atomically;
use crate::trace_files::load;
use clap::Args;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Accept {
    /// A trace or a fuzzer's artifact
    #[arg(value_name = "ARTIFACT")]
    artifact: PathBuf,
    /// The subject it fails on, if the trace names none
    #[arg(long, value_name = "S")]
    subject: Option<String>,
    /// The folder to file it under
    #[arg(long, value_name = "DIR", default_value = "crashes")]
    crashes: PathBuf,
}

impl Accept {
    pub(super) fn traces(&self) -> &[PathBuf] {
        std::slice::from_ref(&self.artifact)
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let loaded = load(context.registry, &self.artifact)?;
        let Some(small) = shrink(context, &loaded, self.subject.as_deref())? else { return Ok(Exit::Interrupted) };
        let name = format!("{}-{}.jsonl", small.subject, small.signature.file_stem());
        let path = self.crashes.join(loaded.dialect.name()).join(name);
        if path.exists() {
            return Err(format!("{} is already there: this finding has been accepted before", path.display()).into());
        }
        write_atomically(&path, small.text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        writeln!(std::io::stdout(), "accepted as {} ({} ops, {})", screen::path(&path), small.ops, small.signature)?;
        Ok(Exit::Clean)
    }
}
