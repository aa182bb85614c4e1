//! `memtwin nightly`: every engine that is here on every component for a given time, and a report.

use super::{Context, Exit, Failed, refuse_libraries};
use clap::Args;
use memtwin_core::cli::known::KnownOptions;
use memtwin_core::cli::parse_time;
use memtwin_drivers::Project;
use memtwin_drivers::nightly::{End, Engine, Plan};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Nightly {
    /// How long to fuzz in all, such as 90s, 5m or 2h; building and judging come on top
    #[arg(long, value_name = "D", value_parser = parse_time)]
    time: Duration,
    /// Where the report goes; what is there of an earlier run is compared with
    #[arg(long, value_name = "DIR", default_value = "target/nightly")]
    out: PathBuf,
    /// The corpora, one a component: where engines start from, and what they add to
    #[arg(long, value_name = "DIR", default_value = "corpus")]
    corpus: PathBuf,
    /// The crate of fuzz targets; that of AFL++'s is `afl` below it. Without it `fuzz`
    #[arg(long, value_name = "DIR")]
    fuzz: Option<PathBuf>,
    /// Run on this subject alone, sound or broken
    #[arg(long, value_name = "COMPONENT/SUBJECT")]
    subject: Option<String>,
    /// Run only this engine; may be repeated
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Vec<Engine>,
    #[command(flatten)]
    known: KnownOptions,
    /// The nightly Rust that builds fuzz targets with AddressSanitizer
    #[arg(long, value_name = "NAME", default_value = "nightly")]
    toolchain: String,
    /// Build fuzz targets without AddressSanitizer even where there is a nightly Rust
    #[arg(long)]
    no_sanitizer: bool,
}

impl Nightly {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Exit, Failed> {
        refuse_libraries(context, "nightly")?;
        if self.time.is_zero() {
            return Err("--time 0 is no time to find anything".into());
        }
        let plan = Plan {
            time: self.time,
            out: self.out.clone(),
            corpus: self.corpus.clone(),
            subject: self.subject.clone(),
            engines: self.engine.clone(),
            known: self.known.named().map(PathBuf::from),
            toolchain: self.toolchain.clone(),
            sanitizer: !self.no_sanitizer,
        };
        let project = Project::here(self.fuzz.as_deref())?;
        Ok(match plan.run(&project, context.registry, &self.known.load()?, &context.interrupted)? {
            End::Clean => Exit::Clean,
            End::Finding => Exit::Finding,
            End::Interrupted => Exit::Interrupted,
        })
    }
}
