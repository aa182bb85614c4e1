//! Steps on committed traces, and on the seam for subjects of others. They use the command line as a person does.

use crate::room::Room;
use crate::run_file;
use memtwin::drivers::command::{Run, Trouble};

/// Replays every committed trace and every seed.
pub(super) fn replay(room: &Room) -> Result<(), Trouble> {
    let mut traces = Vec::new();
    for dialect in memtwin::built_in().dialects() {
        let (crashes, seeds) = (room.crashes(dialect.name())?, room.project().seeds(dialect.name())?);
        if crashes.is_empty() || seeds.is_empty() {
            return Err(Trouble::Failed(format!("{} has no committed traces, or no seeds", dialect.name())));
        }
        traces.extend(crashes.into_iter().chain(seeds));
    }
    room.memtwin().with(["replay"]).with(traces).pass()
}

/// Runs every committed trace beside the committed baseline and makes a report of it in every form.
pub(super) fn regress(room: &Room) -> Result<(), Trouble> {
    let out = tempfile::tempdir()?;
    room.memtwin().with(["regress", "--out"]).with([out.path()]).pass()?;
    let report = room.memtwin().with(["report"]).with([out.path().join("regress.json")]);
    report.with(["--to", "html,junit,sarif,md", "-o"]).with([out.path()]).pass()
}

/// Builds and runs the example crates from their own folders. They share nothing with the workspace but the place where
/// dependencies are built.
pub(super) fn own_subject(room: &Room) -> Result<(), Trouble> {
    example(room, "docs/own-heap", &["bump", "free_list", "own_global"])?;
    example(room, "docs/own-component", &["array"])?;
    example(room, "docs/own-subject", &["own_memory"])?;
    let folder = room.root.join("docs/own-subject");
    let test = Run::cargo(&folder, ["test", "--release", "--quiet", "--locked", "--target-dir"]);
    test.with([room.target()]).env("PROPTEST_RNG_SEED", "7").pass()
}

/// Each broken subject of an example crate is caught, and the others agree.
fn example(room: &Room, folder: &str, sound: &[&str]) -> Result<(), Trouble> {
    let folder = room.root.join(folder);
    let program = || {
        let run = Run::cargo(&folder, ["run", "--release", "--quiet", "--locked", "--target-dir"]);
        run.with([room.target()]).with(["--"])
    };
    let out = tempfile::tempdir()?;
    let arguments = ["fuzz", "--broken", "--ops", "1M", "--seed", "7", "--json", "--out"];
    let printed = program().with(arguments).with([out.path()]).keep()?;
    run_file::as_expected(&run_file::of(&printed)?, sound)?;
    printed.success()?;
    program().with(["list"]).pass()
}

/// Builds the published crates in their workspace, and runs each beside its model.
pub(super) fn third_party(room: &Room) -> Result<(), Trouble> {
    let run =
        Run::cargo(&room.root.join("harness/third-party"), ["run", "--release", "--quiet", "--locked", "--target-dir"]);
    let out = tempfile::tempdir()?;
    let arguments = ["--", "fuzz", "--ops", "1M", "--seed", "7", "--out"];
    run.with([room.target()]).with(arguments).with([out.path()]).pass()
}
