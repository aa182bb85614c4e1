//! The step in which engines go on from each other's corpora: what one of them kept must raise what every other begins
//! with, and be to memtwin a trace like any other. Each works in a folder of its own.

use crate::libfuzzer::{Flavour, Session, cargo_fuzz, needs_cargo_fuzz};
use crate::room::Room;
use crate::{interrupted, run_file};
use memtwin::drivers::afl::{self, Fleet, INPUT_MILLISECONDS, Limit};
use memtwin::drivers::command::{Run, Trouble, last_lines};
use memtwin::drivers::seeds;
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// How much an engine looks for what is worth keeping: enough that each finds something that no seed reaches.
const OPS: &str = "2M";
const INPUTS: u64 = 2_000;
const SEED: u64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Guided,
    LibFuzzer,
    Afl,
}

const ENGINES: [Engine; 3] = [Engine::Guided, Engine::LibFuzzer, Engine::Afl];

pub(super) fn corpora(room: &Room) -> Result<(), Trouble> {
    needs_cargo_fuzz(room)?;
    let programs = afl::build(&room.project())?;
    for dialect in memtwin::built_in().dialects() {
        exchange(room, &programs, dialect.name())?;
    }
    Ok(())
}

/// Every engine writes a corpus of the component, and every other begins with it.
fn exchange(room: &Room, programs: &Path, component: &str) -> Result<(), Trouble> {
    cargo_fuzz(room, Flavour::Stable, "build", component).pass()?;
    let place = tempfile::tempdir()?;
    // memtwin knows by the folder's name what the bytes mean.
    let folder = |name: &str| place.path().join(name).join(component);
    let alone = folder("seeds");
    seeds::copy(&room.project(), component, None, &alone)?;
    for writer in ENGINES {
        let written = folder(&format!("{writer:?}"));
        writer.write(room, programs, component, &written)?;
        reads(room, component, &written)?;
        for reader in ENGINES.into_iter().filter(|reader| *reader != writer) {
            let begins = |corpus: &Path| reader.begins_with(room, programs, component, corpus);
            let (without, with) = (begins(&alone)?, begins(&written)?);
            let what = format!("{component}: {reader:?} begins with {with} features of what {writer:?} kept");
            let what = format!("{what}, with {without} of the seeds alone");
            if with <= without {
                return Err(Trouble::Failed(what));
            }
            writeln!(anstream::stdout(), "{what}")?;
        }
    }
    Ok(())
}

impl Engine {
    /// Runs from the committed seeds; they and what it keeps are then in the folder.
    fn write(self, room: &Room, programs: &Path, component: &str, corpus: &Path) -> Result<(), Trouble> {
        match self {
            Engine::Guided => {
                seeds::copy(&room.project(), component, None, corpus)?;
                guided(room, component, corpus, OPS).map(|_features| ())
            }
            Engine::LibFuzzer => {
                let session = Session {
                    flavour: Flavour::Stable,
                    component,
                    subject: None,
                    inputs: INPUTS,
                    seed: SEED,
                    feedback: true,
                    supervised: true,
                };
                session.run(room, corpus)?.success().map(|_printed| ())
            }
            Engine::Afl => {
                let out = tempfile::tempdir()?;
                let limit = Limit::Inputs { inputs: INPUTS, seed: SEED };
                let fleet = Fleet {
                    component,
                    subject: None,
                    instances: 1,
                    has_main: false,
                    limit,
                    sync: out.path(),
                    foreign: None,
                    feedback: true,
                };
                std::fs::create_dir_all(corpus)?;
                let ended = fleet.run(&room.project(), programs, &*interrupted()?)?;
                ended.instances.iter().try_for_each(|instance| instance.copy_queue(corpus))
            }
        }
    }

    /// How many features it counts, each engine in its own way, before it has changed an input.
    fn begins_with(self, room: &Room, programs: &Path, component: &str, corpus: &Path) -> Result<u64, Trouble> {
        match self {
            // A campaign of hardly any ops adds nothing to speak of, and to a copy of the corpus.
            Engine::Guided => {
                let copy = tempfile::tempdir()?;
                let copied = copy.path().join(component);
                std::fs::create_dir(&copied)?;
                for file in files(corpus)? {
                    std::fs::copy(&file, copied.join(file.file_name().unwrap_or_default()))?;
                }
                guided(room, component, &copied, "1")
            }
            Engine::LibFuzzer => {
                let run = cargo_fuzz(room, Flavour::Stable, "run", component).with([corpus]).with(["--", "-runs=0"]);
                let printed = run.keep()?;
                let silent = || Trouble::Failed(format!("{component}: {}", last_lines(&printed.err)));
                begun(&printed.err).ok_or_else(silent)
            }
            Engine::Afl => reached(room, &programs.join(component), corpus),
        }
    }
}

/// How many places of AFL++'s map the inputs of a folder reach, features of the model among them.
fn reached(room: &Room, program: &Path, corpus: &Path) -> Result<u64, Trouble> {
    let map = tempfile::NamedTempFile::new()?;
    let run = Run::cargo(&room.root, ["afl", "showmap", "-C", "-e", "-q", "-t", INPUT_MILLISECONDS]);
    run.with([Path::new("-i"), corpus, Path::new("-o"), map.path(), Path::new("--"), program]).keep()?.success()?;
    let lines = std::fs::read_to_string(map.path())?.lines().count();
    Ok(lines as u64)
}

/// A campaign on sound subjects, and the features that it has reached at its end.
fn guided(room: &Room, component: &str, corpus: &Path, ops: &str) -> Result<u64, Trouble> {
    let out = tempfile::tempdir()?;
    let folder = corpus.parent().unwrap_or(corpus);
    let run = room.memtwin().with(["fuzz", component, "--json", "--seed", &SEED.to_string(), "--ops", ops]);
    let printed = run.with([Path::new("--corpus"), folder, Path::new("--out"), out.path()]).keep()?;
    let run = run_file::parse(&printed.success()?)?;
    let subjects = run["subjects"].as_array().into_iter().flatten();
    Ok(subjects.filter_map(|subject| subject["features"].as_u64()).sum())
}

/// What libFuzzer says of a corpus that it has read and not yet changed.
fn begun(printed: &str) -> Option<u64> {
    let line = printed.lines().find(|line| line.contains("INITED"))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "ft:");
    words.nth(1)?.parse().ok()
}

/// memtwin replays all that an engine wrote, and explains, converts and shrinks some of what no seed is.
fn reads(room: &Room, component: &str, written: &Path) -> Result<(), Trouble> {
    let files = files(written)?;
    let failed = |replay: &&Value| replay["verdict"] == "failed";
    if let Some(replay) = seeds::replays(&room.project(), None, &files)?.iter().find(failed) {
        return Err(Trouble::Failed(format!("what a fuzzer kept does not agree: {replay}")));
    }
    let own: Vec<PathBuf> = files.into_iter().filter(|path| !path.to_string_lossy().contains("seed-")).collect();
    let nothing = || Trouble::Failed(format!("{} holds nothing but seeds", written.display()));
    let first = own.first().ok_or_else(nothing)?;
    room.memtwin().with(["explain"]).with([first]).keep()?.success()?;
    let form = |from: &Path, form: &str, name: &str| {
        let to = written.with_file_name(name);
        room.memtwin().with(["convert", "--to", form, "-o"]).with([to.as_path(), from]).pass().map(|()| to)
    };
    let wire = form(first, "wire", "wire")?;
    let there_and_back = form(&form(first, "jsonl", "trace.jsonl")?, "wire", "wire-again")?;
    if std::fs::read(&wire)? != std::fs::read(there_and_back)? {
        return Err(Trouble::Failed(format!("{} is not the same after it was JSON", first.display())));
    }
    let (subject, failing) = fails(room, component, &own)?;
    let small = written.with_file_name("small.jsonl");
    room.memtwin().with(["shrink", "--subject", subject, "-o"]).with([&small, &failing]).pass()?;
    room.memtwin().with(["replay"]).with([&small]).pass()
}

/// A subject that fails on one of the files, and the file.
fn fails(room: &Room, component: &str, files: &[PathBuf]) -> Result<(&'static str, PathBuf), Trouble> {
    let registry = memtwin::built_in();
    for target in registry.targets().filter(|target| !target.is_sound() && target.dialect().name() == component) {
        let replays = seeds::replays(&room.project(), Some(target.subject()), files)?;
        let failing = replays.iter().find(|replay| replay["verdict"] == "failed");
        if let Some(path) = failing.and_then(|replay| replay["trace"].as_str()) {
            return Ok((target.subject(), path.into()));
        }
    }
    Err(Trouble::Failed(format!("{component}: no known defect shows in what a fuzzer kept")))
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libfuzzer_says_what_it_begins_with() {
        let printed = "INFO: seed corpus: files: 12\n#13\tINITED cov: 1200 ft: 345 corp: 9/1Kb exec/s: 0 rss: 40Mb\n";
        assert_eq!(begun(printed), Some(345));
        assert_eq!(begun("#13\tREAD units: 9"), None);
    }
}
