//! The engines that a nightly run knows, which of them can run here, and a slice of time for one on one component. It
//! judges nothing: what an engine finds, it or memtwin files as a trace.

use super::Folders;
use crate::command::{Printed, Run, Trouble, last_lines};
use crate::room::Room;
use crate::toolchain::nightly;
use clap::ValueEnum;
use memtwin::run_file::{self, RunFile};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where cargo-fuzz puts programs, below the target folder of fuzz/.
const FUZZ_PROGRAMS: &str = "fuzz/target/x86_64-unknown-linux-gnu/release";
/// An input that takes longer than this hangs, in seconds.
const HANG_SECONDS: u32 = 20;
/// How libFuzzer names what it died of.
const DEADLY: [&str; 4] = ["crash-", "oom-", "timeout-", "leak-"];

/// An engine, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Engine {
    /// memtwin's own
    Guided,
    /// cargo-fuzz, with AddressSanitizer where there is a nightly Rust
    Libfuzzer,
    /// AFL++
    Afl,
}

impl Engine {
    pub(super) const ALL: [Engine; 3] = [Engine::Guided, Engine::Libfuzzer, Engine::Afl];

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
    /// AddressSanitizer if it is wanted and a nightly is there.
    pub(super) fn of(room: &Room, sanitizer: bool) -> Self {
        match nightly(room) {
            Ok(toolchain) if sanitizer => Flavour::AddressSanitizer(toolchain),
            Ok(_) | Err(_) => Flavour::Plain,
        }
    }

    /// `cargo fuzz VERB`, as a person types it.
    pub(super) fn words(&self, verb: &str) -> Vec<String> {
        let words = match self {
            Flavour::AddressSanitizer(toolchain) => vec![format!("+{toolchain}"), "fuzz".to_owned(), verb.to_owned()],
            Flavour::Plain => ["fuzz", verb, "-s", "none"].map(str::to_owned).into(),
        };
        [vec!["cargo".to_owned()], words].concat()
    }

    fn build(&self, room: &Room, component: &str) -> Run {
        let target = room.root.join("fuzz/target");
        let arguments = ["fuzz", "build", "--target-dir"];
        match self {
            Flavour::AddressSanitizer(toolchain) => {
                Run::cargo_of(&room.root, toolchain, arguments).with([&target]).with([component])
            }
            Flavour::Plain => Run::cargo(&room.root, arguments).with([&target]).with(["-s", "none", component]),
        }
    }
}

/// What is missing for an engine, and the command that brings it.
pub(super) fn missing(room: &Room, engine: Engine) -> Option<(&'static str, &'static str)> {
    let has = |tool: &str| Run::cargo(&room.root, [tool, "--version"]).probe();
    match engine {
        Engine::Guided => None,
        Engine::Libfuzzer => (!has("fuzz")).then_some(("no cargo-fuzz", "cargo install cargo-fuzz --locked")),
        Engine::Afl => {
            (!has("afl")).then_some(("no cargo-afl", "cargo install cargo-afl --locked && cargo afl config --build"))
        }
    }
}

/// memtwin, as the run has built it: another cargo may hold its locks for longer than a slice lasts.
pub(super) fn memtwin(room: &Room) -> Run {
    let program = room.target().join("release/memtwin");
    Run::new::<&str>(&room.root, &program.to_string_lossy(), [])
}

/// Builds what an engine runs, so that no slice pays for it.
pub(super) fn build(room: &Room, engine: Engine, flavour: &Flavour, components: &[&str]) -> Result<(), Trouble> {
    match engine {
        Engine::Guided => Ok(()),
        Engine::Libfuzzer => components.iter().try_for_each(|component| flavour.build(room, component).pass()),
        Engine::Afl => {
            let folder = room.root.join("fuzz/afl");
            let run = Run::cargo(&folder, ["afl", "build", "--release", "--target-dir"]);
            run.with([folder.join("target")]).pass()
        }
    }
}

/// A component's fuzz target, as [`build`] has built it, in a folder.
pub(super) fn fuzz_program(room: &Room, component: &str, folder: &Path) -> Run {
    let program = room.root.join(FUZZ_PROGRAMS).join(component);
    let run = Run::new::<&str>(folder, &program.to_string_lossy(), []);
    run.env("ASAN_OPTIONS", "detect_odr_violation=0") // as cargo-fuzz has it
}

/// Deletes inputs of a component that reach nothing that smaller ones do not reach.
pub(super) fn minimize(room: &Room, place: &Folders, component: &str) -> Result<(), Trouble> {
    if place.inputs(component)? == 0 {
        return Ok(());
    }
    let printed = memtwin(room).with(["corpus", "minimize"]).with([place.corpus.join(component)]).keep()?;
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

/// What a slice left behind.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// The folder below which its findings lie as JSON traces.
    pub(super) findings: PathBuf,
    /// What it counted, where the engine counts ops.
    pub(super) run: Option<RunFile>,
    /// Inputs that the engine died of and that made no trace.
    pub(super) raw: Vec<PathBuf>,
}

impl Arm<'_> {
    /// Runs for this long and adds to the corpus. Everything else is written below `work`, which is this slice's own.
    pub(super) fn run(&self, room: &Room, place: &Folders, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        std::fs::create_dir_all(work)?;
        match self.engine {
            Engine::Guided => self.guided(room, place, work, time),
            Engine::Libfuzzer => self.libfuzzer(room, place, work, time),
            Engine::Afl => self.afl(room, place, work, time),
        }
    }

    fn guided(&self, room: &Room, place: &Folders, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        let target =
            self.subject.map_or_else(|| self.component.to_owned(), |name| format!("{}/{name}", self.component));
        let run = memtwin(room).with(["fuzz", &target, "--json", "--time", &format!("{}s", time.as_secs())]);
        let printed = run.with(["--corpus"]).with([&place.corpus]).with(["--out"]).with([work]).keep()?;
        let run = run_file::parse(&work.join("run.json"), printed.out.as_bytes()).map_err(|_| self.failed(&printed))?;
        Ok(Slice { findings: work.to_owned(), run: Some(run), raw: Vec::new() })
    }

    fn libfuzzer(&self, room: &Room, place: &Folders, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        // memtwin knows by the folder what raw bytes mean.
        let raw = work.join("raw").join(self.component);
        std::fs::create_dir_all(&raw)?;
        let corpus = std::path::absolute(place.corpus.join(self.component))?;
        std::fs::create_dir_all(&corpus)?;
        let limits = [format!("-max_total_time={}", time.as_secs()), format!("-timeout={HANG_SECONDS}")];
        let prefix = format!("-artifact_prefix={}/", std::path::absolute(&raw)?.display());
        // The program's own parent files traces below the folder that it runs in.
        let run = fuzz_program(room, self.component, work).with(limits).with([&prefix]).with([&corpus]);
        let printed = self.with_subject(run).keep()?;
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
        let findings = work.join("target/memtwin");
        // One process dies once: of what made a trace, or of what is left to look at.
        if findings.join(self.component).exists() {
            return Ok(Slice { findings, run: None, raw: Vec::new() });
        }
        raw.retain(|path| !self.shrink(room, path, &findings));
        Ok(Slice { findings, run: None, raw })
    }

    fn afl(&self, room: &Room, place: &Folders, work: &Path, time: Duration) -> Result<Slice, Trouble> {
        let instances = std::thread::available_parallelism().map_or(1, usize::from).to_string();
        let run = Run::xtask(room)
            .with(["afl", self.component, "--instances", &instances])
            .with(["--time", &format!("{}s", time.as_secs()), "--out"])
            .with([work])
            .with(["--foreign"])
            .with([&place.corpus]);
        let run = self.subject.iter().fold(run, |run, subject| run.with(["--subject", subject]));
        std::fs::create_dir_all(place.corpus.join(self.component))?;
        let printed = run.keep()?;
        if !matches!(printed.code, Some(0 | 1)) {
            return Err(self.failed(&printed));
        }
        let sync = work.join("sync").join(self.component);
        for queue in std::fs::read_dir(&sync)?.map(|entry| entry.map(|entry| entry.path().join("queue"))) {
            let queue = queue?;
            if queue.is_dir() {
                let merge = memtwin(room).with(["corpus", "merge"]).with([&queue, &place.corpus.join(self.component)]);
                let merged = merge.keep()?;
                // It says 1 of an input that a sound subject fails on, which AFL++ has filed as well.
                if !matches!(merged.code, Some(0 | 1)) {
                    return Err(self.failed(&merged));
                }
            }
        }
        Ok(Slice { findings: work.join("findings"), run: None, raw: Vec::new() })
    }

    /// Whether memtwin makes a trace of a raw input.
    fn shrink(&self, room: &Room, raw: &Path, findings: &Path) -> bool {
        let name = format!("{}.jsonl", raw.file_name().unwrap_or_default().to_string_lossy());
        let trace = findings.join(self.component).join(name);
        let run = memtwin(room).with(["shrink"]).with([raw]).with(["-o"]).with([&trace]);
        let run = self.subject.iter().fold(run, |run, subject| run.with(["--subject", subject]));
        run.keep().is_ok_and(|printed| printed.code == Some(0))
    }

    fn with_subject(&self, run: Run) -> Run {
        run.env("MEMTWIN_SUBJECT", self.subject.unwrap_or_default())
    }

    fn failed(&self, printed: &Printed) -> Trouble {
        let (engine, end) = (self.engine.word(), last_lines(&printed.err));
        Trouble::Failed(format!("{engine} on {}: exit code {:?}: {end}", self.component, printed.code))
    }
}
