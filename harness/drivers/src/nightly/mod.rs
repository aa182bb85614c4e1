//! A night: every engine that is here on every component for a given time, then what that is worth: the corpus
//! minimised, findings shrunk and named, committed traces replayed, a report and a summary of one screen. It accepts no
//! finding and changes no committed file.

mod budget;
mod engines;
mod findings;
mod hunt;
mod judge;
mod summary;
mod told;

pub use engines::Engine;

use crate::Project;
use crate::command::{Run, Trouble, tell};
use engines::{Arm, Flavour};
use judge::{fuzz_run, judge};
use memtwin_core::Registry;
use memtwin_core::files::write_atomically;
use memtwin_core::run_file::compare::compare;
use memtwin_core::run_file::known::KnownFindings;
use memtwin_core::run_file::{self, RunFile};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use summary::{CorpusRow, Summary};
use told::{Told, command};

/// Where engines work below the report's folder: hidden, so that nobody takes it for the report.
const WORK: &str = ".nightly";

/// What is asked for.
#[derive(Debug)]
pub struct Plan {
    /// How long to fuzz in all.
    pub time: Duration,
    /// Where the report goes; what is there of an earlier run is compared with.
    pub out: PathBuf,
    /// The corpora, one a component: where engines start from, and what they add to.
    pub corpus: PathBuf,
    /// The one subject to run on, sound or broken, as component/subject.
    pub subject: Option<String>,
    /// The engines; every one without any.
    pub engines: Vec<Engine>,
    /// The list of accepted findings, where it is not the usual one.
    pub known: Option<PathBuf>,
    /// The nightly Rust that builds fuzz targets with AddressSanitizer.
    pub toolchain: String,
    /// Whether that is wanted.
    pub sanitizer: bool,
}

/// How a night ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is nothing that anybody must look at.
    Clean,
    /// There is.
    Finding,
    /// Someone asked for the end: the findings are there, and no report is.
    Interrupted,
}

/// What a night works with.
struct Night<'a> {
    project: &'a Project,
    registry: &'a Registry,
    known: &'a KnownFindings,
    known_file: Option<&'a Path>,
    interrupted: &'a Arc<AtomicBool>,
    out: PathBuf,
    work: PathBuf,
    corpus: PathBuf,
}

impl Night<'_> {
    /// The program with the subjects.
    fn memtwin(&self) -> Run {
        self.project.memtwin()
    }

    /// A command that is told which findings are accepted.
    fn with_known(&self, run: Run) -> Run {
        self.known_file.into_iter().fold(run, |run, file| run.with([Path::new("--known"), file]))
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// How many inputs a component has.
    fn inputs(&self, component: &str) -> std::io::Result<usize> {
        let folder = self.corpus.join(component);
        if folder.is_dir() { Ok(std::fs::read_dir(folder)?.count()) } else { Ok(0) }
    }

    fn all_inputs(&self, components: &[&str]) -> std::io::Result<usize> {
        components.iter().map(|component| self.inputs(component)).sum()
    }
}

impl Plan {
    /// Runs it in the folder of the project, which is the current one.
    ///
    /// # Errors
    /// If no engine can run, or something of it could not run; the report is there all the same, where there is one.
    pub fn run(
        &self,
        project: &Project,
        registry: &Registry,
        known: &KnownFindings,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<End, Box<dyn std::error::Error>> {
        let components = self.components(registry)?;
        let night = Night {
            project,
            registry,
            known,
            known_file: self.known.as_deref(),
            interrupted,
            out: self.out.clone(),
            work: self.out.join(WORK),
            corpus: self.corpus.clone(),
        };
        let previous = prepare(&night)?;
        let flavour = Flavour::of(project, &self.toolchain, self.sanitizer);
        let (arms, notes) = self.arms(&night, &flavour, &components)?;
        if night.is_interrupted() {
            return Ok(End::Interrupted);
        }
        let before = night.all_inputs(&components)?;
        let mut hunted = hunt::hunt(&night, &arms, self.time)?;
        hunted.troubles.splice(..0, notes.troubles);
        let judged = judge(&night, &components, &mut hunted).and_then(|judged| {
            let told = told::tell(&night, &flavour, previous.as_ref(), &hunted.findings)?;
            Ok((judged, told))
        });
        if night.is_interrupted() {
            let findings = hunted.findings.iter().count();
            let folder = night.out.join("findings");
            tell(&format!("interrupted: findings until now: {findings}, in {}; there is no report", folder.display()));
            return Ok(End::Interrupted);
        }
        let ((features, regress), told) = judged?;

        let corpus = CorpusRow { before, after: night.all_inputs(&components)?, features };
        let fuzz = fuzz_run(&night, &mut hunted)?;
        let run = run_file::merge([fuzz.clone(), regress.clone()])?.ok_or("there is nothing to report")?;
        let report = report(&night, &run, &told)?;
        let raw = keep_raw(&night, &flavour, &hunted.raw)?;
        for (engine, row) in &mut hunted.engines {
            if *engine == Engine::Libfuzzer {
                row.name.push_str(if flavour == Flavour::Plain { ", no sanitizer" } else { ", AddressSanitizer" });
            }
        }
        let summary = Summary {
            asked: self.time,
            rounds: hunted.rounds,
            engines: hunted.engines.into_iter().map(|(_, row)| row).collect(),
            skipped: notes.skipped,
            troubles: hunted.troubles,
            corpus,
            told,
            raw,
            fuzz: &fuzz,
            regress: &regress,
            comparison: previous.as_ref().map(|previous| compare(previous, &run)),
            report: &report,
        };
        let text = summary.text();
        write(&night.out.join("summary.md"), &text)?;
        std::fs::remove_dir_all(&night.work)?;
        tell("");
        text.lines().for_each(tell);
        match (summary.is_clean(), summary.troubles.len()) {
            (true, 0) => Ok(End::Clean),
            (false, _) => Ok(End::Finding),
            (true, count) => {
                Err(format!("engines, slices or files that could not be run: {count}; see the summary").into())
            }
        }
    }

    /// The components that have a subject to run on.
    fn components<'a>(&self, registry: &'a Registry) -> Result<Vec<&'a str>, String> {
        let is_sound = |component: &str| {
            registry.targets().any(|target| target.is_sound() && target.dialect().name() == component)
        };
        let all = || registry.dialects().map(memtwin_core::target::Dialect::name);
        let Some(name) = &self.subject else {
            let sound: Vec<_> = all().filter(|component| is_sound(component)).collect();
            let none = || "this program has no sound subject to fuzz; name a Broken one with --subject".to_owned();
            return if sound.is_empty() { Err(none()) } else { Ok(sound) };
        };
        let known = name.split_once('/').filter(|(component, subject)| registry.index_of(component, subject).is_some());
        let component = known.and_then(|(component, _)| all().find(|known| *known == component));
        let unknown = || format!("unknown subject {name:?}; see `{} list`", memtwin_core::program::called());
        component.map(|component| vec![component]).ok_or_else(unknown)
    }

    /// Every engine that is here, built, on every component that it has a target for; and what is not.
    fn arms<'a>(
        &'a self,
        night: &Night<'_>,
        flavour: &Flavour,
        components: &[&'a str],
    ) -> Result<(Vec<Arm<'a>>, Notes), String> {
        let subject = self.subject.as_deref().and_then(|name| name.split_once('/')).map(|(_, subject)| subject);
        let (mut arms, mut notes) = (Vec::new(), Notes::default());
        let is_asked = |engine: &Engine| self.engines.is_empty() || self.engines.contains(engine);
        for engine in Engine::ALL.into_iter().filter(is_asked) {
            let chosen = match engines::components(night.project, engine, components) {
                Ok(chosen) => chosen,
                Err(trouble) => {
                    notes.add(engine, &trouble);
                    continue;
                }
            };
            chosen.without.iter().for_each(|component| notes.add(engine, &engine.no_target(night.project, component)));
            match engines::build(night.project, engine, flavour, &chosen.components) {
                Ok(()) => arms.extend(chosen.components.iter().map(|component| Arm { engine, component, subject })),
                Err(trouble) => notes.add(engine, &trouble),
            }
        }
        let all = || notes.skipped.iter().chain(&notes.troubles).cloned().collect::<Vec<_>>().join("; ");
        if arms.is_empty() { Err(format!("no engine can run: {}", all())) } else { Ok((arms, notes)) }
    }
}

/// What could not run, and why.
#[derive(Debug, Default)]
struct Notes {
    /// It is not here.
    skipped: Vec<String>,
    /// It is here, and broken.
    troubles: Vec<String>,
}

impl Notes {
    fn add(&mut self, engine: Engine, trouble: &Trouble) {
        let line = format!("{}: {trouble}", engine.word());
        let (word, list) = match trouble {
            Trouble::Skipped { .. } => ("skipped", &mut self.skipped),
            Trouble::Failed(_) => ("trouble", &mut self.troubles),
        };
        tell(&format!("{word}: {line}"));
        list.push(line);
    }
}

/// Makes room for a report, and returns the one that was there. Traces of earlier findings stay.
fn prepare(night: &Night<'_>) -> Result<Option<RunFile>, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(night.out.join("new-findings"))?;
    std::fs::create_dir_all(&night.corpus)?;
    if night.work.exists() {
        std::fs::remove_dir_all(&night.work)?;
    }
    for entry in std::fs::read_dir(night.out.join("new-findings"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            std::fs::remove_file(path)?;
        }
    }
    let (run, previous) = (night.out.join("run.json"), night.out.join("previous.json"));
    if run.exists() {
        std::fs::rename(&run, &previous)?;
    }
    if previous.exists() { Ok(Some(run_file::read(&previous)?)) } else { Ok(None) }
}

/// The run file, every form of the report, and a file for each new finding. Returns what a person opens first.
fn report(night: &Night<'_>, run: &RunFile, told: &[Told]) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let file = night.out.join("run.json");
    write(&file, &(serde_json::to_string(run)? + "\n"))?;
    told::write_pages(night, told)?;
    #[cfg(feature = "report")]
    {
        use memtwin_report::{Format, Report};
        let report = Report::new(run)?;
        for format in [Format::Html, Format::Junit, Format::Sarif, Format::Md] {
            write(&night.out.join(format.file_name()), &report.render(night.registry, format)?)?;
        }
        Ok(night.out.join(Format::Html.file_name()))
    }
    #[cfg(not(feature = "report"))]
    Ok(file)
}

/// Keeps the inputs that made no trace, each with the command that runs it.
fn keep_raw(
    night: &Night<'_>,
    flavour: &Flavour,
    raw: &[(String, PathBuf)],
) -> Result<Vec<(PathBuf, String)>, Box<dyn std::error::Error>> {
    let kept = raw.iter().map(|(component, path)| {
        let to = night.out.join("findings").join(component).join(path.file_name().unwrap_or_default());
        write_atomically(&to, &std::fs::read(path)?)?;
        let command = command(&flavour.run_words(night.project, component), &to);
        Ok((to, command))
    });
    kept.collect()
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    write_atomically(path, text.as_bytes()).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
