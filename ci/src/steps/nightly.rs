//! The step that runs a nightly run: with a defect planted it must find it, say so with its exit code, and name a
//! command that shows it again; on a sound subject the second of two runs must go on from the first. It uses no corpus
//! but its own.

use crate::room::Room;
use memtwin::drivers::command::{Printed, Run, Trouble, last_lines};
use std::path::Path;

/// The defect that is planted, and a subject without one.
const DEFECT: &str = "brk_heap/BH-10";
const SOUND: &str = "brk_heap/hardened";

pub(super) fn nightly(room: &Room) -> Result<(), Trouble> {
    let folder = tempfile::tempdir()?;
    let (corpus, out) = (folder.path().join("corpus"), folder.path().join("planted"));
    let seeds = corpus.join("brk_heap");
    std::fs::create_dir_all(&seeds)?;
    for seed in room.project().seeds("brk_heap")? {
        std::fs::copy(&seed, seeds.join(seed.file_name().unwrap_or_default()))?;
    }
    let engines = ["--engine", "guided", "--engine", "libfuzzer", "--no-sanitizer"];
    let printed = run(room, &corpus, &out, &["--time", "30s", "--subject", DEFECT])?.with(engines).keep()?;
    ends_with(&printed, 1)?;
    let summary = std::fs::read_to_string(out.join("summary.md"))?;
    let replay = summary.lines().find(|line| line.contains(" replay ")).unwrap_or_default();
    Run::new(&room.root, "sh", ["-c", replay]).pass()?;
    let pages = std::fs::read_dir(out.join("new-findings"))?.collect::<Result<Vec<_>, _>>()?;
    let page = pages.first().ok_or_else(|| Trouble::Failed("the finding has no page".to_owned()))?;
    if !std::fs::read_to_string(page.path())?.lines().next().is_some_and(|title| title.ends_with(DEFECT)) {
        return Err(Trouble::Failed("the title of the finding's page does not name the subject".to_owned()));
    }

    let out = folder.path().join("sound");
    let sound = ["--time", "5s", "--subject", SOUND, "--engine", "guided"];
    ends_with(&run(room, &corpus, &out, &sound)?.keep()?, 0)?;
    let kept = std::fs::read_dir(&seeds)?.count();
    ends_with(&run(room, &corpus, &out, &sound)?.keep()?, 0)?;
    let summary = std::fs::read_to_string(out.join("summary.md"))?;
    let went_on = [format!("Corpus: {kept} files before"), "Beside the previous run: 0 new".to_owned()];
    match went_on.iter().find(|words| !summary.contains(words.as_str())) {
        None => Ok(()),
        Some(words) => Err(Trouble::Failed(format!("the second run does not say {words:?}:\n{summary}"))),
    }
}

fn run(room: &Room, corpus: &Path, out: &Path, arguments: &[&str]) -> Result<Run, Trouble> {
    let run = room.memtwin().with(["nightly"]).with(arguments);
    Ok(run.with(["--corpus"]).with([corpus]).with(["--out"]).with([out]))
}

fn ends_with(printed: &Printed, code: i32) -> Result<(), Trouble> {
    if printed.code == Some(code) {
        return Ok(());
    }
    let (out, err) = (last_lines(&printed.out), last_lines(&printed.err));
    Err(Trouble::Failed(format!("the exit code is {:?}, not {code}: {out}\n{err}", printed.code)))
}
