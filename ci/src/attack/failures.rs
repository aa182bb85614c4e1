//! Failures: each is one line with the command that shows it again, and its input is kept below the target folder.

use super::calls::Call;
use memtwin::drivers::command::{Run, Trouble};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// After so many failures nothing more is learnt from another.
const ENOUGH: usize = 30;

pub(super) struct Failures {
    folder: PathBuf,
    count: Mutex<usize>,
}

impl Failures {
    /// None yet; those of an earlier attack are gone.
    pub(super) fn new(folder: PathBuf) -> Result<Self, Trouble> {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(Failures { folder, count: Mutex::new(0) })
    }

    pub(super) fn count(&self) -> usize {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_enough(&self) -> bool {
        ENOUGH <= self.count()
    }

    /// Tells of a call that failed, and keeps what it needs.
    pub(super) fn tell(&self, part: &str, what: &[String], call: &Call) -> Result<(), Trouble> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        let kept = self.folder.join(format!("{part}-{count}"));
        std::fs::create_dir_all(&kept)?;
        for path in &call.needs {
            let from = call.folder().join(path);
            if from.symlink_metadata().is_ok() {
                Run::new(call.folder(), "cp", ["-a", "--parents", "--"]).with([path, &kept]).quietly()?;
            }
        }
        self.line(part, &what.join(", "), &format!("cd {} && {}", shown(&kept), call.line()))
    }

    /// Tells of what failed otherwise, and how to see it again.
    pub(super) fn say(&self, part: &str, what: &str, again: &str) -> Result<(), Trouble> {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.line(part, what, again)
    }

    fn line(&self, part: &str, what: &str, again: &str) -> Result<(), Trouble> {
        let what = what.replace(char::is_control, " ");
        writeln!(anstream::stdout(), "FAILED {part}: {what}: {again}")?;
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    shlex::try_quote(&path.to_string_lossy()).map(std::borrow::Cow::into_owned).unwrap_or_default()
}
