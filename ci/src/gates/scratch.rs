//! The copy of the tree that faults are planted in, with uncommitted changes. It stays where it is from fault to fault,
//! and builds into a folder of its own, so that what did not change is built once.

use crate::room::Room;
use memtwin::drivers::command::{Run, Trouble};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

pub(super) struct Scratch {
    origin: PathBuf,
    tree: PathBuf,
    target: PathBuf,
    log: PathBuf,
}

impl Scratch {
    /// A copy below the target folder; that of an earlier run is brought up to date.
    pub(super) fn new(room: &Room) -> Result<Self, Trouble> {
        let place = room.target().join("gates");
        let (tree, target, log) = (place.join("tree"), place.join("target"), place.join("log"));
        std::fs::create_dir_all(&tree)?;
        if !tree.join(".git").exists() {
            Run::new(&tree, "git", ["init", "--quiet"]).quietly()?;
        }
        let scratch = Scratch { origin: room.root.clone(), tree, target, log };
        scratch.restore()?;
        Run::new(&scratch.tree, "git", ["add", "--all"]).quietly()?;
        Ok(scratch)
    }

    pub(super) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Takes every fault back. Files that are as they should be stay untouched, for cargo looks at their times.
    pub(super) fn restore(&self) -> Result<(), Trouble> {
        let wanted: BTreeSet<PathBuf> = listed(&self.origin)?.into_iter().collect();
        for path in listed(&self.tree)?.iter().filter(|path| !wanted.contains(*path)) {
            std::fs::remove_file(self.tree.join(path))?;
        }
        Ok(copy(&self.origin, &self.tree)?)
    }

    /// Runs steps in the copy; what they print, whichever way they end.
    pub(super) fn run(&self, steps: &[&str], variables: &[(String, String)], seconds: &str) -> Result<String, Trouble> {
        let mut printed = String::new();
        let of_ci: Vec<_> = steps.iter().filter(|step| **step != super::TESTS).collect();
        if !of_ci.is_empty() {
            let run = Run::new(&self.tree, "timeout", ["--kill-after=10", seconds, "cargo", "xtask", "ci"]);
            let run = of_ci.iter().fold(run, |run, step| run.with(["--only", step]));
            let run = run.env("CARGO_TARGET_DIR", &self.target.to_string_lossy());
            let run = variables.iter().fold(run, |run, (name, value)| run.env(name, value));
            // Both streams in one file, in the order in which they were written.
            run.start(&self.log)?.wait()?;
            printed = String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned();
        }
        if of_ci.len() < steps.len() {
            printed += &super::tests(&self.tree, &self.target)?;
        }
        Ok(printed)
    }
}

/// What git knows or would know of, below a root; what was deleted and is still known is left out.
fn listed(root: &Path) -> io::Result<Vec<PathBuf>> {
    let output = std::process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{} is no git worktree", root.display())));
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let paths = names.map(|name| PathBuf::from(OsStr::from_bytes(name)));
    Ok(paths.filter(|path| root.join(path).symlink_metadata().is_ok()).collect())
}

/// Copies what differs.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for path in listed(from)? {
        let (old, new) = (from.join(&path), to.join(&path));
        if is_same(&old, &new) {
            continue;
        }
        std::fs::create_dir_all(new.parent().unwrap_or(to))?;
        if new.symlink_metadata().is_ok() {
            std::fs::remove_file(&new)?;
        }
        match std::fs::read_link(&old) {
            Ok(target) => std::os::unix::fs::symlink(target, &new)?,
            // Read and written, not copied with its time: cargo must see that it has changed.
            Err(_) => {
                std::fs::write(&new, std::fs::read(&old)?)?;
                std::fs::set_permissions(&new, std::fs::metadata(&old)?.permissions())?;
            }
        }
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (std::fs::read_link(one), std::fs::read_link(other)) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), Err(_)) => match (std::fs::read(one), std::fs::read(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        },
        _ => false,
    }
}
