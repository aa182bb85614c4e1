//! `memtwin explain`: the story of one trace.

use super::screen;
use super::{Context, Exit, Failed, select};
use crate::explain::{tell, terminal};
use crate::isolate::Isolation;
use crate::trace_files::load;
use clap::Args;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Explain {
    /// The trace file
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Run on this subject instead of the one the trace names
    #[arg(long, value_name = "S")]
    subject: Option<String>,
    /// Print the story as JSON, with a picture of the model before each op
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn traces(&self) -> &[PathBuf] {
        std::slice::from_ref(&self.trace)
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        let loaded = load(context.registry, &self.trace)?;
        let component = loaded.dialect.name();
        let index = match self.subject.as_ref().or(loaded.header.subject.as_ref()) {
            Some(subject) => select::target(context.registry, component, subject)?,
            None => select::targets(context.registry, &[component.to_owned()], false)?[0],
        };
        let mut isolation = Isolation::start(Arc::clone(&context.interrupted))?;
        let Some(story) = tell(&mut isolation, context.registry, index, &loaded)? else {
            return Ok(Exit::Interrupted);
        };
        if self.json {
            screen::print_json(&story)?;
        } else {
            write!(anstream::stdout(), "{}", terminal::text(&story))?;
        }
        Ok(Exit::Clean)
    }
}
