//! `memtwin report`: a run file in the forms that people, code hosts and build servers read.

use super::{Context, Exit, Failed, screen};
use clap::Args;
use memtwin_core::files::write_atomically;
use memtwin_core::run_file;
use memtwin_report::{Format, Report as Rendered};
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Report {
    /// The run file
    #[arg(value_name = "RUN.json")]
    run: PathBuf,
    /// The forms, with commas between
    #[arg(long, value_name = "FORMS", value_enum, value_delimiter = ',', default_value = "html")]
    to: Vec<Format>,
    /// The folder to write to
    #[arg(short, long, value_name = "DIR", default_value = "target/memtwin/report")]
    out: PathBuf,
}

impl Report {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        if self.out.exists() && !self.out.is_dir() {
            return Err(
                format!("cannot write below {}: it is a file, and --out names a folder", self.out.display()).into()
            );
        }
        let report = Rendered::new(&run_file::read(&self.run)?)?;
        let mut formats = self.to.clone();
        formats.sort_unstable();
        formats.dedup();
        for format in formats {
            let path = self.out.join(format.file_name());
            let text = report.render(context.registry, format)?;
            write_atomically(&path, text.as_bytes())
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            writeln!(std::io::stdout(), "{}", screen::path(&path))?;
        }
        Ok(Exit::Clean)
    }
}
