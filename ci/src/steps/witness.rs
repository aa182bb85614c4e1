//! Steps that ask the witnesses: judges of page-table models that nobody here wrote.

use crate::room::Room;
use memtwin::drivers::command::{Run, Trouble};

/// As many reads as the emulator is asked for at least.
const PROBES: &str = "120000";

/// Hardware and another project's walk.
pub(super) fn built_in(room: &Room) -> Result<(), Trouble> {
    let run = room.memtwin().with(["witness", "page_walk", "--probes", "40000"]);
    let printed = agrees(run)?;
    absent(&printed, "/dev/kvm", "run on a machine with virtualisation, and join the group kvm")
}

/// QEMU's memory management, which takes cmake and libclang to build.
pub(super) fn emulator(room: &Room) -> Result<(), Trouble> {
    if !Run::new(&room.root, "cmake", ["--version"]).probe() {
        let remedy = "install cmake and libclang (both are on PyPI and in Debian), and set LIBCLANG_PATH".to_owned();
        return Err(Trouble::Skipped { why: "no cmake".to_owned(), remedy });
    }
    let run = Run::cargo(&room.root, ["run", "--quiet", "--release", "--features", "unicorn", "--bin", "memtwin"])
        .with(["--", "witness", "temp_map", "--probes", PROBES]);
    let printed = agrees(run)?;
    absent(&printed, "unicorn", "build it with --features unicorn")
}

/// What a witness says that agrees. One that does not says how on its standard output.
fn agrees(run: Run) -> Result<String, Trouble> {
    let printed = run.keep()?;
    if printed.code == Some(1) { Err(Trouble::Failed(printed.out)) } else { printed.success() }
}

/// A witness that could not be asked has proved nothing: the step is skipped, and says so.
fn absent(printed: &str, name: &str, remedy: &str) -> Result<(), Trouble> {
    let line = printed.lines().find(|line| line.starts_with("- ") && line.contains(name));
    line.map_or(Ok(()), |line| Err(Trouble::Skipped { why: line.to_owned(), remedy: remedy.to_owned() }))
}
