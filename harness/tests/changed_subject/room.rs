//! A folder that programs run in, and how to read what they write.

use crate::PROGRAM;
use crate::forms;
use libtest_mimic::Failed;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder to run in, with links to what is committed.
pub(crate) struct Room(TempDir);

impl Room {
    pub(crate) fn new() -> Result<Self, Failed> {
        let room = Room(tempfile::tempdir()?);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for folder in ["crashes", "corpus"] {
            std::os::unix::fs::symlink(root.join(folder).canonicalize()?, room.path(folder))?;
        }
        Ok(room)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<Output, Failed> {
        let this = std::env::current_exe()?;
        Ok(Command::new(this).env(PROGRAM, program).args(arguments).current_dir(self.0.path()).output()?)
    }

    /// Runs, expects this exit code, returns standard output.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments).expect("this program can be started");
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {err}{out}");
        out
    }

    /// A regression run with its run file, which is also kept under this name.
    #[track_caller]
    pub(crate) fn regress(&self, code: i32, program: &str, name: &str, arguments: &[&str]) -> Value {
        let arguments: Vec<_> = ["regress", "--json"].iter().chain(arguments).copied().collect();
        let text = self.expect(code, program, &arguments);
        std::fs::write(self.path(name), &text).expect("the folder is there");
        let run = serde_json::from_str(&text).expect("a run file");
        forms::is_run_file(&run);
        run
    }
}

pub(crate) fn rows(run: &Value) -> impl Iterator<Item = &Value> {
    run["traces"].as_array().into_iter().flatten()
}

/// (trace, target) of the rows of this status.
pub(crate) fn of_status(run: &Value, status: &str) -> BTreeSet<(String, String)> {
    let wanted = rows(run).filter(|row| row["status"] == status);
    wanted.map(|row| (text(&row["trace"]).to_owned(), text(&row["target"]).to_owned())).collect()
}

pub(crate) fn findings<'a>(run: &'a Value, subject: &'a str) -> impl Iterator<Item = &'a Value> {
    let subjects = run["subjects"].as_array().into_iter().flatten();
    subjects
        .filter(move |part| part["subject"] == subject)
        .flat_map(|part| part["findings"].as_array().into_iter().flatten())
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
