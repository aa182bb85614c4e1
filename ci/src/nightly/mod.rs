//! `cargo xtask nightly`: every engine that is here on every component for a given time, then what that is worth: the
//! corpus minimised, findings shrunk and named, committed traces replayed, a report and a summary of one screen. It
//! accepts no finding and changes no committed file.

mod budget;
mod engines;
mod findings;
mod hunt;
mod summary;
mod told;

use crate::command::{Run, Trouble, last_lines};
use crate::room::Room;
use clap::Args;
use engines::{Arm, Engine, Flavour, memtwin};
use hunt::Hunted;
use memtwin::Registry;
use memtwin::corpus::{self, Change};
use memtwin::files::write_atomically;
use memtwin::isolate::Isolation;
use memtwin::report::{Format, Report};
use memtwin::run_file::compare::compare;
use memtwin::run_file::known::KnownFindings;
use memtwin::run_file::{self, Day, Kind, RunFile, stories};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use summary::{CorpusRow, Summary};
use told::{Told, command};

/// Below the root: what is accepted.
const KNOWN: &str = "reports/known-findings.json";
/// How findings are named, among those of engines, that the corpus and the committed traces show.
const CORPUS: &str = "corpus";
const REGRESS: &str = "regress";
/// Where engines work below `--out`: hidden, so that nobody takes it for the report.
const WORK: &str = ".nightly";

#[derive(Debug, Args)]
pub(crate) struct Nightly {
    /// How long to fuzz in all, such as 90s, 5m or 2h
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Where the report goes; what is there of an earlier run is compared with
    #[arg(long, value_name = "DIR", default_value = "target/nightly")]
    out: PathBuf,
    /// The corpora, one a component: where engines start from, and what they add to
    #[arg(long, value_name = "DIR", default_value = "corpus")]
    corpus: PathBuf,
    /// Run on this subject alone, sound or broken
    #[arg(long, value_name = "COMPONENT/SUBJECT")]
    subject: Option<String>,
    /// Run only this engine; may be repeated
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Vec<Engine>,
    /// Build fuzz targets without AddressSanitizer even where there is a nightly Rust
    #[arg(long)]
    no_sanitizer: bool,
}

/// The folders of a run, from the repository's root.
#[derive(Debug)]
struct Folders {
    out: PathBuf,
    work: PathBuf,
    corpus: PathBuf,
}

impl Folders {
    /// How many inputs a component has.
    fn inputs(&self, component: &str) -> std::io::Result<usize> {
        let folder = self.corpus.join(component);
        if folder.is_dir() { Ok(std::fs::read_dir(folder)?.count()) } else { Ok(0) }
    }

    fn all_inputs(&self, components: &[&str]) -> std::io::Result<usize> {
        components.iter().map(|component| self.inputs(component)).sum()
    }
}

impl Nightly {
    /// Whether there is nothing that anybody must look at.
    pub(crate) fn run(&self, room: &Room) -> Result<bool, Box<dyn std::error::Error>> {
        let registry = memtwin::built_in();
        let components = self.components(&registry)?;
        let subject = self.subject.as_deref().and_then(|name| name.split_once('/')).map(|(_, subject)| subject);
        let (out, corpus) = (below(room, &self.out)?, below(room, &self.corpus)?);
        // Commands in the report are for the repository's root, so paths are as seen from there.
        std::env::set_current_dir(&room.root)?;
        let place = Folders { work: out.join(WORK), out, corpus };
        let known = known()?;
        let previous = prepare(&place)?;

        let flavour = Flavour::of(room, !self.no_sanitizer);
        let build = ["build", "--release", "--quiet", "--locked", "--bin", "memtwin"];
        Run::cargo(&room.root, build).pass().map_err(operating)?;
        let (mut arms, mut skipped) = (Vec::new(), Vec::new());
        for engine in Engine::ALL.into_iter().filter(|engine| self.engine.is_empty() || self.engine.contains(engine)) {
            if let Some((why, remedy)) = engines::missing(room, engine) {
                skipped.push(format!("{}: {why}; {remedy}", engine.word()));
                continue;
            }
            engines::build(room, engine, &flavour, &components).map_err(operating)?;
            arms.extend(components.iter().map(|component| Arm { engine, component, subject }));
        }
        if arms.is_empty() {
            return Err(format!("no engine can run: {}", skipped.join("; ")).into());
        }

        let before = place.all_inputs(&components)?;
        let mut hunted = hunt::hunt(room, &place, &registry, &known, &arms, self.time)?;
        let features = minimise(room, &registry, &place, &components, &mut hunted.troubles)?;
        let corpus = CorpusRow { before, after: place.all_inputs(&components)?, features };
        let mut regress = regress(room, &place)?;
        for name in [CORPUS, REGRESS] {
            hunted.findings.collect(&registry, &known, name, &place.work.join(name))?;
        }
        hunted.findings.name_traces(&mut regress);

        let told = told::tell(room, &flavour, previous.as_ref(), &hunted.findings)?;
        let fuzz = fuzz_run(&registry, &mut hunted)?;
        let run = run_file::merge([fuzz.clone(), regress.clone()])?.ok_or("there is nothing to report")?;
        report(&registry, &place, &run, &told, room)?;
        let raw = keep_raw(&place, &flavour, &hunted.raw)?;
        for (engine, row) in &mut hunted.engines {
            if *engine == Engine::Libfuzzer {
                row.name.push_str(if flavour == Flavour::Plain { ", no sanitizer" } else { ", AddressSanitizer" });
            }
        }
        let summary = Summary {
            asked: self.time,
            rounds: hunted.rounds,
            engines: hunted.engines.into_iter().map(|(_, row)| row).collect(),
            skipped,
            troubles: hunted.troubles,
            corpus,
            told,
            raw,
            fuzz: &fuzz,
            regress: &regress,
            comparison: previous.as_ref().map(|previous| compare(previous, &run)),
            out: &place.out,
        };
        let text = summary.text();
        write(&place.out.join("summary.md"), &text)?;
        std::fs::remove_dir_all(&place.work)?;
        write!(anstream::stdout(), "\n{text}")?;
        match (summary.is_clean(), summary.troubles.len()) {
            (true, 0) => Ok(true),
            (false, _) => Ok(false),
            (true, count) => Err(format!("{count} slices or files could not be run; see the summary").into()),
        }
    }

    fn components<'a>(&self, registry: &'a Registry) -> Result<Vec<&'a str>, String> {
        let all = || registry.dialects().map(memtwin::target::Dialect::name);
        let Some(name) = &self.subject else { return Ok(all().collect()) };
        let known = name.split_once('/').filter(|(component, subject)| registry.index_of(component, subject).is_some());
        let component = known.and_then(|(component, _)| all().find(|known| *known == component));
        component.map(|component| vec![component]).ok_or(format!("unknown subject {name:?}; see `memtwin list`"))
    }
}

/// A path of the command line as seen from the root, where it lies below it.
fn below(room: &Room, path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    Ok(path.strip_prefix(&room.root).map_or(path.clone(), Path::to_owned))
}

/// What is accepted today.
fn known() -> Result<KnownFindings, Box<dyn std::error::Error>> {
    let today = Day::of(SystemTime::now());
    let list = Path::new(KNOWN);
    if list.exists() { Ok(KnownFindings::load(list, today)?) } else { Ok(KnownFindings::new(Vec::new(), today)) }
}

/// Makes room for a report, and returns the one that was there. Traces of earlier findings stay.
fn prepare(place: &Folders) -> Result<Option<RunFile>, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(place.out.join("new-findings"))?;
    std::fs::create_dir_all(&place.corpus)?;
    if place.work.exists() {
        std::fs::remove_dir_all(&place.work)?;
    }
    for entry in std::fs::read_dir(place.out.join("new-findings"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            std::fs::remove_file(path)?;
        }
    }
    let (run, previous) = (place.out.join("run.json"), place.out.join("previous.json"));
    if run.exists() {
        std::fs::rename(&run, &previous)?;
    }
    if previous.exists() { Ok(Some(run_file::read(&previous)?)) } else { Ok(None) }
}

/// Deletes inputs that reach nothing that smaller ones do not reach; returns what the rest reaches. An input that a
/// sound subject fails on becomes a trace.
fn minimise(
    room: &Room,
    registry: &Registry,
    place: &Folders,
    components: &[&str],
    troubles: &mut Vec<String>,
) -> Result<usize, Box<dyn std::error::Error>> {
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    let mut features = 0;
    for component in components {
        if place.inputs(component)? == 0 {
            continue;
        }
        let folder = place.corpus.join(component);
        let done = corpus::minimize(&mut isolation, registry, &folder, false, Change::Files)?;
        let done = done.ok_or("interrupted while the corpus was minimised")?;
        features += done.reached;
        for (number, trouble) in done.troubles.into_iter().enumerate() {
            match trouble {
                corpus::Trouble::Unreadable(error) => troubles.push(error.to_string()),
                corpus::Trouble::NotJudged { path, target, why } => {
                    troubles.push(format!("{} was not judged on {target}: {why}", path.display()));
                }
                corpus::Trouble::Failed { path, target, signature } => {
                    let trace = place.work.join(CORPUS).join(component).join(format!("{number}.jsonl"));
                    let subject = target.split_once('/').map_or(target.as_str(), |(_, subject)| subject);
                    let shrink = memtwin(room).with(["shrink", "--subject", subject, "-o"]).with([&trace, &path]);
                    if let Err(trouble) = shrink.pass() {
                        let what = format!("{target} fails on {}: {signature}", path.display());
                        troubles.push(format!("{what}; {}", operating(trouble)));
                    }
                }
            }
        }
    }
    Ok(features)
}

/// Replays the committed traces beside the committed baseline.
fn regress(room: &Room, place: &Folders) -> Result<RunFile, Box<dyn std::error::Error>> {
    let work = place.work.join(REGRESS);
    let printed = memtwin(room).with(["regress", "--json", "--out"]).with([&work]).keep().map_err(operating)?;
    Ok(run_file::parse(&work.join("regress.json"), printed.out.as_bytes()).map_err(|_| last_lines(&printed.err))?)
}

/// The run file of all engines together.
fn fuzz_run(registry: &Registry, hunted: &mut Hunted) -> Result<RunFile, Box<dyn std::error::Error>> {
    let mut runs = std::mem::take(&mut hunted.runs);
    let silent = hunted.engines.iter().map(|(engine, _)| *engine).filter(|engine| *engine != Engine::Guided);
    let silent: Vec<_> = silent.map(Engine::word).chain([CORPUS]).collect();
    runs.extend(silent.into_iter().map(|name| hunted.findings.run_of(registry, name)));
    runs.iter_mut().for_each(|run| hunted.findings.name_traces(run));
    let empty = || RunFile::new(Kind::Fuzz, 0, Vec::new(), Vec::new());
    let mut run = run_file::merge(runs)?.unwrap_or_else(empty);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    stories::add(&mut run, registry, workers, &Arc::new(AtomicBool::new(false)), |_| true)?;
    Ok(run)
}

/// Every form of the report, and a file for each new finding.
fn report(
    registry: &Registry,
    place: &Folders,
    run: &RunFile,
    told: &[Told],
    room: &Room,
) -> Result<(), Box<dyn std::error::Error>> {
    write(&place.out.join("run.json"), &(serde_json::to_string(run)? + "\n"))?;
    let report = Report::new(run)?;
    for format in [Format::Html, Format::Junit, Format::Sarif, Format::Md] {
        write(&place.out.join(format.file_name()), &report.render(registry, format)?)?;
    }
    told::write_pages(room, &place.out, told)
}

/// Keeps the inputs that made no trace, each with the command that runs it.
fn keep_raw(
    place: &Folders,
    flavour: &Flavour,
    raw: &[(String, PathBuf)],
) -> Result<Vec<(PathBuf, String)>, Box<dyn std::error::Error>> {
    let kept = raw.iter().map(|(component, path)| {
        let to = place.out.join("findings").join(component).join(path.file_name().unwrap_or_default());
        write_atomically(&to, &std::fs::read(path)?)?;
        let words = [flavour.words("run"), vec![component.clone()]].concat();
        Ok((to.clone(), command(&words, &to)?))
    });
    kept.collect()
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    write_atomically(path, text.as_bytes()).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn operating(trouble: Trouble) -> String {
    match trouble {
        Trouble::Failed(what) => what,
        Trouble::Skipped { why, remedy } => format!("{why}; {remedy}"),
    }
}
