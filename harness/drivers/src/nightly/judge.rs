//! What a hunt was worth: the corpus minimised, committed traces replayed, and all that engines counted as one run
//! file. Does not look for anything new.

use super::Night;
use super::engines::Engine;
use super::hunt::Hunted;
use crate::command::{Trouble, last_lines};
use memtwin_core::corpus::{self, Change};
use memtwin_core::isolate::Isolation;
use memtwin_core::regress::committed;
use memtwin_core::run_file::{self, Kind, RunFile, stories};
use std::path::Path;
use std::sync::Arc;

/// Where committed traces lie, besides the seeds of the corpus.
const CRASHES: &str = "crashes";
/// How findings are named, among those of engines, that the corpus and the committed traces show.
const CORPUS: &str = "corpus";
const REGRESS: &str = "regress";

/// What the corpus reaches once it is minimised, and what became of the committed traces. What fails is a finding like
/// those of engines.
pub(super) fn judge(
    night: &Night<'_>,
    components: &[&str],
    hunted: &mut Hunted,
) -> Result<(usize, RunFile), Box<dyn std::error::Error>> {
    let features = minimise(night, components, &mut hunted.troubles)?;
    let mut regress = regress(night)?;
    for name in [CORPUS, REGRESS] {
        hunted.findings.collect(night.registry, night.known, name, &night.work.join(name))?;
    }
    hunted.findings.name_traces(&mut regress);
    Ok((features, regress))
}

/// Deletes inputs that reach nothing that smaller ones do not reach; returns what the rest reaches. An input that a
/// sound subject fails on becomes a trace.
fn minimise(
    night: &Night<'_>,
    components: &[&str],
    troubles: &mut Vec<String>,
) -> Result<usize, Box<dyn std::error::Error>> {
    let mut isolation = Isolation::start(Arc::clone(night.interrupted))?;
    let mut features = 0;
    for component in components {
        if night.inputs(component)? == 0 {
            continue;
        }
        let folder = night.corpus.join(component);
        let done = corpus::minimize(&mut isolation, night.registry, &folder, false, Change::Files)?;
        let done = done.ok_or("interrupted while the corpus was minimised")?;
        features += done.reached;
        for (number, trouble) in done.troubles.into_iter().enumerate() {
            match trouble {
                corpus::Trouble::Unreadable(error) => troubles.push(error.to_string()),
                corpus::Trouble::NotJudged { path, target, why } => {
                    troubles.push(format!("{} was not judged on {target}: {why}", path.display()));
                }
                corpus::Trouble::Failed { path, target, signature } => {
                    let trace = night.work.join(CORPUS).join(component).join(format!("{number}.jsonl"));
                    let subject = target.split_once('/').map_or(target.as_str(), |(_, subject)| subject);
                    let shrink = night.memtwin().with(["shrink", "--subject", subject, "-o"]).with([&trace, &path]);
                    if let Err(trouble) = shrink.pass() {
                        let what = format!("{target} fails on {}: {signature}", path.display());
                        troubles.push(format!("{what}; {trouble}"));
                    }
                }
            }
        }
    }
    Ok(features)
}

/// Replays the committed traces beside the committed baseline, as far as there are any.
fn regress(night: &Night<'_>) -> Result<RunFile, Box<dyn std::error::Error>> {
    let mut places = Vec::new();
    for place in [Path::new(CRASHES), &night.corpus] {
        if place.is_dir() && !committed(place)?.is_empty() {
            places.push(place);
        }
    }
    if places.is_empty() {
        return Ok(RunFile::new(Kind::Regress, 0, Vec::new(), Vec::new()));
    }
    let work = night.work.join(REGRESS);
    let run = night.memtwin().with(["regress", "--json", "--out"]).with([&work]).with(places);
    let printed = night.with_known(run).keep_until(night.interrupted).map_err(Trouble::into_error)?;
    Ok(run_file::parse(&work.join("regress.json"), printed.out.as_bytes()).map_err(|_| last_lines(&printed.err))?)
}

/// The run file of all engines together.
pub(super) fn fuzz_run(night: &Night<'_>, hunted: &mut Hunted) -> Result<RunFile, Box<dyn std::error::Error>> {
    let mut runs = std::mem::take(&mut hunted.runs);
    let silent = hunted.engines.iter().map(|(engine, _)| *engine).filter(|engine| *engine != Engine::Guided);
    let silent: Vec<_> = silent.map(Engine::word).chain([CORPUS]).collect();
    runs.extend(silent.into_iter().map(|name| hunted.findings.run_of(night.registry, name)));
    runs.iter_mut().for_each(|run| hunted.findings.name_traces(run));
    let empty = || RunFile::new(Kind::Fuzz, 0, Vec::new(), Vec::new());
    let mut run = run_file::merge(runs)?.unwrap_or_else(empty);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    stories::add(&mut run, night.registry, workers, night.interrupted, |_| true)?;
    Ok(run)
}
