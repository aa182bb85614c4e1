//! The step that runs AFL++: a short run on every component's target must keep no crash and be stable, and one narrowed to a subject with
//! a defect must keep one that memtwin can shrink.

use crate::command::{Run, Trouble, last_lines};
use crate::room::Room;
use memtwin::Registry;
use std::path::{Path, PathBuf};

/// How long a target runs, in seconds.
const SECONDS: &str = "10";
/// Below this AFL++ hunts differences that no input makes.
const LEAST_STABILITY_PERCENT: f64 = 95.0;
/// The defect that must be found, and its component.
const DEFECT: (&str, &str) = ("guest_memory", "GM-12");

pub(super) fn smoke(room: &Room) -> Result<(), Trouble> {
    if !Run::cargo(&room.root, ["afl", "--version"]).probe() {
        let remedy = "cargo install cargo-afl --locked && cargo afl config --build".to_owned();
        return Err(Trouble::Skipped { why: "no cargo-afl".to_owned(), remedy });
    }
    let folder = room.root.join("fuzz/afl");
    // Where the programs are then looked for, whatever the caller's environment says.
    let target = folder.join("target");
    Run::cargo(&folder, ["afl", "build", "--release", "--target-dir"]).with([&target]).pass()?;
    for dialect in Registry::built_in().dialects() {
        let out = tempfile::tempdir()?;
        let crashes = fuzz(room, &folder, dialect.name(), None, out.path())?;
        if let Some(crash) = crashes.first() {
            return Err(Trouble::Failed(format!("{} keeps {}", dialect.name(), crash.display())));
        }
        let stability = stability(&out.path().join(dialect.name()))?;
        if stability < LEAST_STABILITY_PERCENT {
            let what = "two runs of one input take different paths; something outlives an input";
            return Err(Trouble::Failed(format!("{}: stability {stability} %: {what}", dialect.name())));
        }
    }
    let (component, subject) = DEFECT;
    let out = tempfile::tempdir()?;
    let crashes = fuzz(room, &folder, component, Some(subject), out.path())?;
    let Some(crash) = crashes.first() else {
        return Err(Trouble::Failed(format!("AFL++ did not find {subject} within {SECONDS} s")));
    };
    let small = out.path().join("small.jsonl");
    Run::cargo(&room.root, ["run", "--quiet", "--release", "--bin", "memtwin", "--", "shrink"])
        .with([crash.as_path(), Path::new("-o"), &small, Path::new("--subject"), Path::new(subject)])
        .pass()
}

/// How many of the edges AFL++ found to be hit alike whenever it ran an input again, in percent.
fn stability(out: &Path) -> Result<f64, Trouble> {
    let statistics = std::fs::read_to_string(out.join("default/fuzzer_stats"))?;
    let value = |line: &str| line.strip_prefix("stability")?.trim_matches([' ', ':', '%']).parse().ok();
    let missing = || Trouble::Failed("AFL++ says nothing about its stability".to_owned());
    statistics.lines().find_map(value).ok_or_else(missing)
}

/// Runs AFL++ on the committed seeds and returns the crashes that it keeps. What it writes lies in a folder named after
/// the component, by which memtwin knows what the bytes mean.
fn fuzz(
    room: &Room,
    folder: &Path,
    component: &str,
    subject: Option<&str>,
    out: &Path,
) -> Result<Vec<PathBuf>, Trouble> {
    let seeds = out.join("seeds");
    std::fs::create_dir(&seeds)?;
    for seed in room.seeds(component)? {
        std::fs::copy(&seed, seeds.join(seed.file_name().unwrap_or_default()))?;
    }
    let found = out.join(component);
    let run = Run::cargo(folder, ["afl", "fuzz", "-V", SECONDS, "-t", "2000"])
        .with([Path::new("-i"), &seeds, Path::new("-o"), &found, &folder.join("target/release").join(component)])
        .env("AFL_NO_UI", "1")
        .env("AFL_FAST_CAL", "1")
        .env("AFL_NO_AFFINITY", "1")
        // Machines that pipe core files to a program, or scale their frequency, are as good as others here.
        .env("AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES", "1")
        .env("AFL_SKIP_CPUFREQ", "1")
        .env("MEMTWIN_SUBJECT", subject.unwrap_or_default());
    let printed = run.keep()?;
    if printed.code != Some(0) {
        return Err(Trouble::Failed(format!("{component}: {}", last_lines(&printed.err))));
    }
    let entries = std::fs::read_dir(found.join("default/crashes"))?;
    let mut crashes: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    crashes.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("id:")));
    crashes.sort();
    Ok(crashes)
}
