//! The engines that a nightly run knows, which of them can run here, and a slice of time for one on one component. It
//! judges nothing: what an engine finds, it or memtwin files as a trace.

use super::Night;
use crate::Project;
use crate::afl;
use crate::command::{Printed, Run, Trouble, last_lines};
use clap::ValueEnum;
use memtwin_core::program;
use memtwin_core::run_file::{self, RunFile};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where cargo-fuzz puts programs, below the crate of fuzz targets.
const FUZZ_PROGRAMS: &str = "target/x86_64-unknown-linux-gnu/release";
/// An input that takes longer than this hangs, in seconds.
const HANG_SECONDS: u32 = 20;
/// How libFuzzer names what it died of.
const DEADLY: [&str; 4] = ["crash-", "oom-", "timeout-", "leak-"];

/// An engine, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Engine {
    /// memtwin's own
    Guided,
    /// cargo-fuzz, with AddressSanitizer where there is a nightly Rust
    Libfuzzer,
    /// AFL++
    Afl,
}

impl Engine {
    pub(super) const ALL: [Engine; 3] = [Engine::Guided, Engine::Libfuzzer, Engine::Afl];

    /// A component for which there is no fuzz target.
    pub(super) fn no_target(self, project: &Project, component: &str) -> Trouble {
        match self {
            Engine::Guided | Engine::Afl => afl::no_target(project, component),
            Engine::Libfuzzer => Trouble::Skipped {
                why: format!("{} has no target {component}", project.shown(&project.fuzz.join("Cargo.toml"))),
                remedy: format!("add fuzz_targets/{component}.rs with memtwin::libfuzzer_target!, and its [[bin]]"),
            },
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Engine::Guided => "guided",
            Engine::Libfuzzer => "libfuzzer",
            Engine::Afl => "afl",
        }
    }
}

/// How the fuzz targets are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flavour {
    /// With AddressSanitizer, by this nightly.
    AddressSanitizer(String),
    /// Without, by the toolchain in use.
    Plain,
}

impl Flavour {
    /// AddressSanitizer if it is wanted and this toolchain is there.
    pub(super) fn of(project: &Project, toolchain: &str, sanitizer: bool) -> Self {
        let is_here = || Run::cargo_of(&project.root, toolchain, ["--version"]).probe();
        if sanitizer && is_here() { Flavour::AddressSanitizer(toolchain.to_owned()) } else { Flavour::Plain }
    }

    /// `cargo fuzz run` on a component's target, as a person types it.
    pub(super) fn run_words(&self, project: &Project, component: &str) -> String {
        let words = match self {
            Flavour::AddressSanitizer(toolchain) => format!("cargo +{toolchain} fuzz run"),
            Flavour::Plain => "cargo fuzz run -s none".to_owned(),
        };
        let folder = project.fuzz_option().map(|option| option.map(|word| program::as_argument(&word)).join(" "));
        [Some(words), folder, Some(component.to_owned())].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn build(&self, project: &Project, component: &str) -> Run {
        let arguments = ["fuzz", "build", "--target-dir"];
        let run = match self {
            Flavour::AddressSanitizer(toolchain) => Run::cargo_of(&project.root, toolchain, arguments),
            Flavour::Plain => Run::cargo(&project.root, arguments),
        };
        let run = run.with([project.fuzz.join("target")]).with(project.fuzz_option().into_iter().flatten());
        if *self == Flavour::Plain { run.with(["-s", "none", component]) } else { run.with([component]) }
    }
}

/// The components that an engine can run on.
///
/// # Errors
/// Skipped where something is missing for it.
pub(super) fn components<'a>(project: &Project, engine: Engine, all: &[&'a str]) -> Result<Chosen<'a>, Trouble> {
    let built = match engine {
        Engine::Guided => return Ok(Chosen { components: all.to_owned(), without: Vec::new() }),
        Engine::Libfuzzer => {
            if !Run::cargo(&project.root, ["fuzz", "--version"]).probe() {
                let remedy = "cargo install cargo-fuzz --locked".to_owned();
                return Err(Trouble::Skipped { why: "no cargo-fuzz".to_owned(), remedy });
            }
            project.targets_in(&project.fuzz)?
        }
        Engine::Afl => afl::targets(project)?,
    };
    let (components, without) = all.iter().partition(|component| built.contains(**component));
    Ok(Chosen { components, without })
}

/// What an engine can run on, and for what it has no fuzz target.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) components: Vec<&'a str>,
    pub(super) without: Vec<&'a str>,
}

/// Builds what an engine runs, so that no slice pays for it.
pub(super) fn build(project: &Project, engine: Engine, flavour: &Flavour, components: &[&str]) -> Result<(), Trouble> {
    match engine {
        Engine::Guided => Ok(()),
        Engine::Libfuzzer => components.iter().try_for_each(|component| flavour.build(project, component).pass()),
        Engine::Afl => afl::build(project).map(|_programs| ()),
    }
}

/// A component's fuzz target, as [`build`] has built it, in a folder.
pub(super) fn fuzz_program(project: &Project, component: &str, folder: &Path) -> Run {
    let program = project.fuzz.join(FUZZ_PROGRAMS).join(component);
    let run = Run::new::<&str>(folder, &program.to_string_lossy(), []);
    run.env("ASAN_OPTIONS", "detect_odr_violation=0") // as cargo-fuzz has it
}

/// Deletes inputs of a component that reach nothing that smaller ones do not reach.
pub(super) fn minimize(night: &Night<'_>, component: &str) -> Result<(), Trouble> {
    if night.inputs(component)? == 0 {
        return Ok(());
    }
    let run = night.memtwin().with(["corpus", "minimize"]).with([night.corpus.join(component)]);
    let printed = run.keep_until(night.interrupted)?;
    match printed.code {
        // 1 is said of an input that cannot be read or that a sound subject fails on, of which the end of the run
        // tells.
        Some(0 | 1) => Ok(()),
        code => {
            Err(Trouble::Failed(format!("corpus of {component}: exit code {code:?}: {}", last_lines(&printed.err))))
        }
    }
}

/// One engine on one component.
#[derive(Debug, Clone)]
pub(super) struct Arm<'a> {
    pub(super) engine: Engine,
    pub(super) component: &'a str,
    /// The one subject to run on, in place of every sound one.
    pub(super) subject: Option<&'a str>,
}

/// What a slice left behind, besides the traces of its findings.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// What it counted, where the engine counts ops.
    pub(super) run: Option<RunFile>,
    /// Inputs that the engine died of and that made no trace.
    pub(super) raw: Vec<PathBuf>,
}

impl Arm<'_> {
    /// Where the traces of its findings lie, below the folder that a slice works in.
    pub(super) fn findings(&self, work: &Path) -> PathBuf {
        match self.engine {
            Engine::Guided => work.to_owned(),
            Engine::Libfuzzer => work.join("target/memtwin"),
            Engine::Afl => work.join("findings"),
        }
    }

    /// Runs for this long and adds to the corpus. Everything else is written below `work`, which is this slice's own.
    pub(super) fn run(&self, night: &Night<'_>, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        std::fs::create_dir_all(work)?;
        match self.engine {
            Engine::Guided => self.guided(night, work, time),
            Engine::Libfuzzer => self.libfuzzer(night, work, time),
            Engine::Afl => self.afl(night, work, time),
        }
    }

    fn guided(&self, night: &Night<'_>, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        let target =
            self.subject.map_or_else(|| self.component.to_owned(), |name| format!("{}/{name}", self.component));
        let run = night.memtwin().with(["fuzz", &target, "--json", "--time", &format!("{}s", time.as_secs())]);
        let run = night.with_known(run).with([Path::new("--corpus"), &night.corpus, Path::new("--out"), work]);
        let printed = run.keep_until(night.interrupted)?;
        let run = run_file::parse(&work.join("run.json"), printed.out.as_bytes()).map_err(|_| self.failed(&printed))?;
        Ok(Slice { run: Some(run), raw: Vec::new() })
    }

    fn libfuzzer(&self, night: &Night<'_>, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        // memtwin knows by the folder what raw bytes mean.
        let raw = work.join("raw").join(self.component);
        std::fs::create_dir_all(&raw)?;
        let corpus = std::path::absolute(night.corpus.join(self.component))?;
        std::fs::create_dir_all(&corpus)?;
        let limits = [format!("-max_total_time={}", time.as_secs()), format!("-timeout={HANG_SECONDS}")];
        let prefix = format!("-artifact_prefix={}/", std::path::absolute(&raw)?.display());
        // The program's own parent files traces below the folder that it runs in.
        let run = fuzz_program(night.project, self.component, work).with(limits).with([&prefix]).with([&corpus]);
        let printed = run.env("MEMTWIN_SUBJECT", self.subject.unwrap_or_default()).keep_until(night.interrupted)?;
        let deadly = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            DEADLY.iter().any(|prefix| name.starts_with(prefix))
        };
        let entries = std::fs::read_dir(&raw)?.map(|entry| entry.map(|entry| entry.path()));
        let mut raw = entries.collect::<Result<Vec<_>, _>>()?;
        raw.retain(deadly);
        if printed.code != Some(0) && raw.is_empty() {
            return Err(self.failed(&printed));
        }
        let findings = self.findings(work);
        // One process dies once: of what made a trace, or of what is left to look at.
        if findings.join(self.component).exists() {
            return Ok(Slice::default());
        }
        raw.retain(|path| !self.shrink(night, path, &findings));
        Ok(Slice { run: None, raw })
    }

    fn afl(&self, night: &Night<'_>, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        let instances = std::thread::available_parallelism().map_or(1, usize::from).to_string();
        let run = night.memtwin().with(["afl", self.component, "--instances", &instances]);
        let run = run.with(["--time", &format!("{}s", time.as_secs()), "--out"]).with([work]);
        let run = run.with([Path::new("--foreign"), &night.corpus, Path::new("--fuzz"), &night.project.fuzz]);
        let run = self.subject.iter().fold(run, |run, subject| run.with(["--subject", subject]));
        let corpus = night.corpus.join(self.component);
        std::fs::create_dir_all(&corpus)?;
        let printed = run.keep_until(night.interrupted)?;
        if !matches!(printed.code, Some(0 | 1)) {
            return Err(self.failed(&printed));
        }
        let sync = work.join("sync").join(self.component);
        for queue in std::fs::read_dir(&sync)?.map(|entry| entry.map(|entry| entry.path().join("queue"))) {
            let queue = queue?;
            if queue.is_dir() {
                let merge = night.memtwin().with(["corpus", "merge"]).with([&queue, &corpus]);
                let merged = merge.keep_until(night.interrupted)?;
                // It says 1 of an input that a sound subject fails on, which AFL++ has filed as well.
                if !matches!(merged.code, Some(0 | 1)) {
                    return Err(self.failed(&merged));
                }
            }
        }
        Ok(Slice::default())
    }

    /// Whether memtwin makes a trace of a raw input.
    fn shrink(&self, night: &Night<'_>, raw: &Path, findings: &Path) -> bool {
        let name = format!("{}.jsonl", raw.file_name().unwrap_or_default().to_string_lossy());
        let trace = findings.join(self.component).join(name);
        let run = night.memtwin().with(["shrink"]).with([raw]).with(["-o"]).with([&trace]);
        let run = self.subject.iter().fold(run, |run, subject| run.with(["--subject", subject]));
        run.keep_until(night.interrupted).is_ok_and(|printed| printed.code == Some(0))
    }

    fn failed(&self, printed: &Printed) -> Trouble {
        let (engine, end) = (self.engine.word(), last_lines(&printed.err));
        Trouble::Failed(format!("{engine} on {}: exit code {:?}: {end}", self.component, printed.code))
    }
}
