//! The step on the crates that `memtwin new` writes: they build, are formatted, pass their tests, and catch their
//! broken subject. What the verb refuses is for the tests of the harness.

use crate::command::{Run, Trouble};
use crate::room::Room;
use crate::run_file;
use std::path::Path;

/// A template: the arguments that choose it, its sound subject, and the example whose versions of dependencies its
/// crate takes, so that nothing is built that the step `own-subject` has not built.
struct Template {
    arguments: &'static [&'static str],
    sound: &'static str,
    example: &'static str,
}

const TEMPLATES: [Template; 3] = [
    Template { arguments: &["guest_memory"], sound: "own_memory", example: "docs/own-subject" },
    Template { arguments: &["heap", "--heap", "raw"], sound: "own_heap", example: "docs/own-heap" },
    Template { arguments: &["heap", "--heap", "global"], sound: "own_global", example: "docs/own-heap" },
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
        let new = Run::memtwin(room).with(["new"]).with(template.arguments);
        new.with([&folder]).with(["--memtwin", &source]).pass()?;
        template.test(room, &folder)?;
    }
    Ok(())
}

impl Template {
    fn test(&self, room: &Room, folder: &Path) -> Result<(), Trouble> {
        for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
            Run::cargo(folder, ["fmt", "--check", "--manifest-path", manifest]).pass()?;
        }
        std::fs::copy(room.root.join(self.example).join("Cargo.lock"), folder.join("Cargo.lock"))?;
        std::fs::copy(room.root.join("fuzz/Cargo.lock"), folder.join("fuzz/Cargo.lock"))?;
        let cargo = |arguments: &[&str]| {
            let run = Run::cargo(folder, arguments);
            run.with(["--release", "--quiet", "--target-dir"]).with([room.target()])
        };
        let fuzz = ["--", "fuzz", "--broken", "--ops", "1M", "--seed", "7", "--json", "--out", "found"];
        let printed = cargo(&["run"]).with(fuzz).keep()?;
        run_file::as_expected(&run_file::of(&printed)?, &[self.sound])?;
        printed.success()?;
        cargo(&["test"]).pass()?;
        cargo(&["check", "--manifest-path", "fuzz/Cargo.toml"]).pass()
    }
}
