//! `memtwin merge`: the run files of many machines become one.

use super::{Exit, Failed, screen};
use clap::Args;
use memtwin_core::files::write_streamed;
use memtwin_core::run_file::{Kind, Merging, read};
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The run files; merged ones too, and the same one twice counts once
    #[arg(value_name = "RUN.json", required = true)]
    runs: Vec<PathBuf>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

impl Merge {
    pub(super) fn run(&self) -> Result<Exit, Failed> {
        let mut merging = Merging::default();
        for path in &self.runs {
            merging.add(read(path)?).map_err(|error| format!("cannot merge {}: {error}", path.display()))?;
        }
        let merged = merging.finish()?.filter(|merged| !merged.is_empty());
        let Some(merged) = merged else {
            return Err("there is nothing to merge: no run has a subject or a trace".into());
        };
        let write = |file: &mut dyn Write| {
            serde_json::to_writer(&mut *file, &merged)?;
            writeln!(file)
        };
        write_streamed(&self.out, &write).map_err(|error| format!("cannot write {}: {error}", self.out.display()))?;
        let runs = if merged.kind == Kind::Merged { merged.runs.len() } else { 1 };
        let (findings, subjects) = (merged.totals.findings, merged.totals.subjects);
        writeln!(
            std::io::stdout(),
            "{runs} runs, {subjects} subjects, {findings} findings in {}",
            screen::path(&self.out)
        )?;
        Ok(Exit::Clean)
    }
}
