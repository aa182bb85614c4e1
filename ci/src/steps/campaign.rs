//! Steps that run memtwin's own campaigns and judge their run files.

use crate::room::Room;
use crate::run_file;
use memtwin::Target;
use memtwin::drivers::command::{Run, Trouble};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The most time of one worker that catching a defect may take.
const SECONDS_TO_CATCH: f64 = 2.0;

/// The whole catalogue, and a long run of each sound subject.
pub(super) fn campaign(room: &Room) -> Result<(), Trouble> {
    for component in components() {
        let out = tempfile::tempdir()?;
        let run = fuzz(room.memtwin(), &[&component], &["--seed", "7", "--ops", "200M"], out.path())?;
        run_file::as_expected(&run, &sound_subjects(&component))?;
    }
    Ok(())
}

/// The whole catalogue at three seeds, against the clock, one worker at a time so that none waits for another.
pub(super) fn seeds(room: &Room) -> Result<(), Trouble> {
    for component in components() {
        for seed in ["1", "2", "3"] {
            let out = tempfile::tempdir()?;
            let run =
                fuzz(room.memtwin(), &[&component], &["--seed", seed, "--ops", "20M", "--workers", "1"], out.path())?;
            run_file::as_expected(&run, &sound_subjects(&component))?;
            run_file::caught_within(&run, SECONDS_TO_CATCH)?;
        }
    }
    Ok(())
}

/// What is right in another way, and what is wrong in a way that no model was made for, in a program of its own.
pub(super) fn variants(room: &Room) -> Result<(), Trouble> {
    let printed = room.variants().with(["list", "--json"]).keep()?;
    let listed: Value = serde_json::from_str(&printed.out)?;
    let components = listed["components"].as_array().filter(|components| !components.is_empty());
    for component in components.ok_or_else(|| Trouble::Failed("there are no variants".to_owned()))? {
        let name = component["component"].as_str().unwrap_or_default();
        let subjects = component["subjects"].as_array().into_iter().flatten();
        let sound = subjects.filter(|subject| subject["health"] == "sound");
        let mut sound: Vec<_> = sound.filter_map(|subject| subject["subject"].as_str()).collect();
        sound.sort_unstable();
        let out = tempfile::tempdir()?;
        let run = fuzz(room.variants(), &[name], &["--seed", "7", "--ops", "2M"], out.path())?;
        run_file::as_expected(&run, &sound)?;
    }
    // docs/public-bugs.md, and that each planted bug is caught.
    Run::cargo(&room.root, ["test", "--release", "--quiet", "--locked", "--package", "memtwin-variants"]).pass()
}

/// Every short trace over the small worlds, on every sound subject.
pub(super) fn exhaustive(room: &Room) -> Result<(), Trouble> {
    let out = tempfile::tempdir()?;
    room.memtwin().with(["exhaustive", "--depth", "3", "--out"]).with([out.path()]).pass()
}

/// The same seed and op budget with one worker and with two: the same run file but for times, the same files.
pub(super) fn workers(room: &Room) -> Result<(), Trouble> {
    for component in components() {
        let one = workers_find(room, &component, "1")?;
        let two = workers_find(room, &component, "2")?;
        if one != two {
            return Err(Trouble::Failed(format!("{component}: one worker and two do not find the same")));
        }
    }
    Ok(())
}

/// Subjects of heap on the malloc that the worker itself uses. Where their blocks lie depends on what the worker did
/// before, so that the guided engine does not keep the same traces in each run.
const ON_THE_WORKERS_MALLOC: [&str; 4] = ["heap/libc", "heap/system", "heap/brk_in_front", "heap/header_in_front"];

fn workers_find(room: &Room, component: &str, workers: &str) -> Result<(Value, BTreeMap<PathBuf, Vec<u8>>), Trouble> {
    // Run files name traces as the command line names the folder, so both runs name it alike, from folders of their
    // own.
    let folder = tempfile::tempdir()?;
    let run = room.memtwin().in_folder(folder.path());
    let registry = memtwin::built_in();
    let names = registry.targets().filter(|target| target.dialect().name() == component).map(Target::name);
    let names: Vec<_> = names.filter(|name| !ON_THE_WORKERS_MALLOC.contains(&name.as_str())).collect();
    let run = fuzz(run, &names, &["--seed", "11", "--ops", "48M", "--workers", workers], Path::new("found"))?;
    let mut files = BTreeMap::new();
    let found = Path::new("found").join(component);
    for entry in std::fs::read_dir(folder.path().join(&found))? {
        let entry = entry?;
        files.insert(found.join(entry.file_name()), std::fs::read(entry.path())?);
    }
    Ok((run_file::without_times(run), files))
}

fn fuzz<A: AsRef<OsStr>>(memtwin: Run, what: &[A], arguments: &[&str], out: &Path) -> Result<Value, Trouble> {
    let run = memtwin.with(["fuzz", "--broken", "--json"]).with(what).with(arguments).with(["--out"]).with([out]);
    run_file::of(&run.keep()?)
}

fn components() -> Vec<String> {
    memtwin::built_in().dialects().map(|dialect| dialect.name().to_owned()).collect()
}

fn sound_subjects(component: &str) -> Vec<&'static str> {
    let registry = memtwin::built_in();
    let targets = registry.targets().filter(|target| target.is_sound() && target.dialect().name() == component);
    let mut names: Vec<_> = targets.map(Target::subject).collect();
    names.sort_unstable();
    names
}
