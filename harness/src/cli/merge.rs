//! `memtwin merge`: the run files of many machines become one.

use super::{Exit, Failed, screen};
use clap::Args;
use memtwin_core::files::write_atomically;
use memtwin_core::run_file::{Kind, merge, read};
use std::io::Write as _;
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
        let runs = self.runs.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
        let Some(merged) = merge(runs) else { return Err("there is nothing to merge".into()) };
        let text = serde_json::to_string(&merged)? + "\n";
        write_atomically(&self.out, text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", self.out.display()))?;
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
