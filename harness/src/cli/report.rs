//! `memtwin report`: a run file in the forms that people, code hosts and build servers read.

use super::{Context, Exit, Failed, says_nothing, screen};
use clap::Args;
use memtwin_core::campaign::must_be_folder;
use memtwin_core::files::write_streamed;
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
        must_be_folder(&self.out)?;
        let report = Rendered::read(&self.run)?;
        if report.is_empty() {
            return Err(says_nothing(&self.run));
        }
        if self.to.contains(&Format::Bill) && !report.has_bill() {
            let run = screen::path(&self.run);
            return Err(format!(
                "{run} has no sound subject that agreed and proved enough, so there is no bill to make"
            )
            .into());
        }
        let mut formats = self.to.clone();
        formats.sort_unstable();
        formats.dedup();
        for format in formats {
            let path = self.out.join(format.file_name());
            write_streamed(&path, &|file| report.write(context.registry, format, file))
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            writeln!(std::io::stdout(), "{}", screen::path(&path))?;
        }
        Ok(Exit::Clean)
    }
}
