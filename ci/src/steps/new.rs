//! The step on the crates that `memtwin new` writes: they build from few packages, are formatted, pass their tests,
//! catch their broken subject, and have a night. What the verb refuses is for the tests of the harness.

use super::source::few_packages;
use crate::room::Room;
use crate::run_file;
use memtwin::drivers::command::{Run, Trouble};
use std::path::Path;

/// A template: the arguments that choose it, its sound subject, and whether its crate is built with its drivers of
/// fuzzing engines. Once is enough: without, nothing is built that the step `own-subject` has not built.
struct Template {
    arguments: &'static [&'static str],
    sound: &'static str,
    with_drivers: bool,
}

const TEMPLATES: [Template; 3] = [
    Template { arguments: &["guest_memory"], sound: "own_memory", with_drivers: true },
    Template { arguments: &["heap", "--heap", "raw"], sound: "own_heap", with_drivers: false },
    Template { arguments: &["heap", "--heap", "global"], sound: "own_global", with_drivers: false },
];

/// The crates of a template, each with the lock file whose versions it takes.
const MANIFESTS: [(&str, &str); 3] = [
    ("Cargo.toml", "Cargo.lock"),
    ("fuzz/Cargo.toml", "fuzz/Cargo.lock"),
    ("fuzz/afl/Cargo.toml", "fuzz/afl/Cargo.lock"),
];

/// The longest name that a crate may have: no file is formatted otherwise for it.
const LONGEST_NAME: &str = "a-name-as-long-as-any-name-of-a-crate-on-crates-io-that-there-is";
/// And a short one.
const SHORT_NAME: &str = "a";

pub(super) fn crates(room: &Room) -> Result<(), Trouble> {
    for (index, template) in TEMPLATES.iter().enumerate() {
        let outside = tempfile::tempdir()?;
        let name = if index == 0 { LONGEST_NAME } else { SHORT_NAME };
        let folder = outside.path().join(name);
        let source = format!("path={}", room.root.join("harness").display());
        let new = room.memtwin().with(["new"]).with(template.arguments);
        new.with([&folder]).with(["--memtwin", &source]).pass()?;
        template.test(room, &folder)?;
    }
    Ok(())
}

impl Template {
    fn test(&self, room: &Room, folder: &Path) -> Result<(), Trouble> {
        for (manifest, lock) in MANIFESTS {
            Run::cargo(folder, ["fmt", "--check", "--manifest-path", manifest]).pass()?;
            std::fs::copy(room.root.join(lock), folder.join(lock))?;
        }
        let features: &[&str] = if self.with_drivers { &["--features", "nightly"] } else { &[] };
        let bare = |arguments: &[&str]| {
            let run = Run::cargo(folder, arguments);
            run.with(["--release", "--quiet", "--target-dir"]).with([room.target()])
        };
        let cargo = |arguments: &[&str]| bare(arguments).with(features);
        let fuzz = ["--", "fuzz", "--broken", "--ops", "1M", "--seed", "7", "--json", "--out", "found"];
        let printed = cargo(&["run"]).with(fuzz).keep()?;
        run_file::as_expected(&run_file::of(&printed)?, &[self.sound])?;
        printed.success()?;
        few_packages(folder)?;
        cargo(&["test"]).pass()?;
        if self.with_drivers {
            let night = ["--", "nightly", "--time", "3s", "--engine", "guided"];
            let said = cargo(&["run"]).with(night).keep()?.success()?;
            if !said.contains("### Nightly: ✓ nothing to look at") {
                return Err(Trouble::Failed(format!("the night has no summary: {said}")));
            }
        }
        let fuzz = MANIFESTS.iter().skip(1);
        fuzz.map(|(manifest, _)| manifest).try_for_each(|manifest| bare(&["check", "--manifest-path", manifest]).pass())
    }
}
