//! Where an attack takes place: a temporary folder with copies of what is committed, and the program. What is attacked
//! there is thrown away; only the inputs of failures are kept.

use super::calls::Call;
use super::failures::Failures;
use crate::room::Room;
use memtwin::drivers::command::{Run, Trouble};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The folders that are copied.
const COPIED: [&str; 3] = ["crashes", "corpus", "reports"];

pub(super) struct Place {
    folder: tempfile::TempDir,
    /// The program that is attacked.
    pub(super) program: PathBuf,
    pub(super) long: bool,
    pub(super) seed: u64,
    pub(super) failures: Failures,
    /// Names of the components.
    pub(super) components: Vec<&'static str>,
    next: AtomicUsize,
}

impl Place {
    pub(super) fn new(room: &Room, long: bool, seed: u64) -> Result<Self, Trouble> {
        Run::cargo(&room.root, ["build", "--release", "--quiet", "--locked", "--bin", "memtwin"]).pass()?;
        let folder = tempfile::Builder::new().prefix("attack-").tempdir()?;
        for name in COPIED {
            let copy = Run::new(folder.path(), "cp", ["-r", "--"]).with([room.root.join(name)]);
            copy.with(["."]).quietly()?;
        }
        Ok(Place {
            program: room.target().join("release/memtwin"),
            failures: Failures::new(room.target().join("attack"))?,
            components: memtwin::built_in().dialects().map(memtwin::target::Dialect::name).collect(),
            next: AtomicUsize::new(0),
            folder,
            long,
            seed,
        })
    }

    /// The folder that calls run in.
    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A name for a folder of a call's own, below the root.
    pub(super) fn fresh(&self) -> String {
        format!("own/{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A folder of a call's own, below the root: empty.
    pub(super) fn fresh_folder(&self) -> Result<String, Trouble> {
        let name = self.fresh();
        std::fs::create_dir_all(self.root().join(&name))?;
        Ok(name)
    }

    /// A call of the program, in the root.
    pub(super) fn call<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Call {
        Call::new(self.root(), &self.program).with(arguments)
    }

    /// A call of the program within a script: `"$@"` stands for it and its arguments.
    pub(super) fn script<A: AsRef<OsStr>>(&self, script: &str, arguments: impl IntoIterator<Item = A>) -> Call {
        Call::new(self.root(), Path::new("sh")).with(["-c", script, "sh"]).with([&self.program]).with(arguments)
    }

    /// Does the work of each item, two at a time; whoever fails ends it.
    pub(super) fn each<T: Send>(
        &self,
        items: impl IntoIterator<Item = T, IntoIter: Send>,
        work: impl Fn(T) -> Result<(), Trouble> + Sync,
    ) -> Result<usize, Trouble> {
        let (items, done) = (Mutex::new(items.into_iter()), AtomicUsize::new(0));
        let serve = || -> Result<(), Trouble> {
            while !self.failures.is_enough() {
                let Some(item) = items.lock().unwrap_or_else(PoisonError::into_inner).next() else { break };
                work(item)?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(serve);
            let here = serve();
            let there = other.join().unwrap_or_else(|_| Err(Trouble::Failed("a thread of the attack panicked".into())));
            here.and(there)
        })?;
        Ok(done.into_inner())
    }
}
