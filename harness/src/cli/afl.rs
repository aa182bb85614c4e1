//! `memtwin afl`: AFL++ on several cores and hosts, and what crashes as shrunk traces.

use super::screen::Screen;
use super::{Context, Exit, Failed, refuse_libraries};
use clap::Args;
use memtwin_core::cli::parse_time;
use memtwin_drivers::Project;
use memtwin_drivers::afl::{Plan, components};
use memtwin_drivers::command::Trouble;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Afl {
    /// The components, one after the other; all without any
    #[arg(value_name = "COMPONENT")]
    components: Vec<String>,
    /// How many run at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    instances: u16,
    /// How long each component is fuzzed, such as 20s or 8h
    #[arg(long, value_name = "D", default_value = "20s", value_parser = parse_time)]
    time: Duration,
    /// Where findings go, and what AFL++ keeps unless --sync says otherwise
    #[arg(long, value_name = "DIR", default_value = "target/afl")]
    out: PathBuf,
    /// What AFL++ keeps, in a folder for each component: shared by hosts, or copied between them
    #[arg(long, value_name = "DIR")]
    sync: Option<PathBuf>,
    /// Another host has the main instance
    #[arg(long)]
    secondary: bool,
    /// Inputs of another fuzzer, with a folder for each component as in corpus/; the main instance takes them over
    #[arg(long, value_name = "DIR", conflicts_with = "secondary")]
    foreign: Option<PathBuf>,
    /// The crate of fuzz targets, with that of AFL++'s in `afl` below it. Without it `fuzz`
    #[arg(long, value_name = "DIR")]
    fuzz: Option<PathBuf>,
    /// Run on this subject alone, sound or broken; needs one component
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
}

impl Afl {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        refuse_libraries(context, "afl")?;
        let plan = Plan {
            components: components(context.registry, &self.components, self.subject.as_deref())?,
            subject: self.subject.clone(),
            instances: self.instances.into(),
            time: self.time,
            out: self.out.clone(),
            sync: self.sync.clone().unwrap_or_else(|| self.out.join("sync")),
            is_secondary: self.secondary,
            is_shared: self.sync.is_some(),
            foreign: self.foreign.clone(),
        };
        let screen = Screen::new(false);
        let project = Project::here(self.fuzz.as_deref())?;
        let hunted = plan.run(&project, &context.interrupted, &|text| screen.line(text.trim_end_matches('\n')));
        let hunted = hunted.map_err(Trouble::into_error)?;
        Ok(match (hunted.was_interrupted, hunted.is_clean) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::Clean,
            (false, false) => Exit::Finding,
        })
    }
}
