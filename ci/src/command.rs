//! Commands: each is shown before it runs, and a failure names it. It hides nothing: what a command prints is printed,
//! unless the step asks for it.

use crate::room::Room;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Why a step did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// What is wrong.
    Failed(String),
    /// It could not run here.
    Skipped {
        /// What is missing.
        why: String,
        /// The command that brings it.
        remedy: String,
    },
}

impl Trouble {
    /// As an error of a verb that could not do its work.
    pub(crate) fn into_error(self) -> Box<dyn std::error::Error> {
        match self {
            Trouble::Failed(what) => what.into(),
            Trouble::Skipped { why, remedy } => format!("{why}; {remedy}").into(),
        }
    }
}

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Trouble::Failed(error.to_string())
    }
}

/// What a command printed, and its exit code; `None` after a signal.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command.
#[derive(Debug)]
pub(crate) struct Run {
    words: Vec<OsString>,
    command: Command,
}

impl Run {
    /// `program arguments…`, in `folder`.
    pub(crate) fn new<A: AsRef<OsStr>>(folder: &Path, program: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        // Set by the cargo that runs this program; a cargo of another toolchain must not load this one's libraries.
        command.env_remove("LD_LIBRARY_PATH");
        Run { words: vec![program.into()], command }.with(arguments)
    }

    /// `cargo arguments…`.
    pub(crate) fn cargo<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        Run::new(folder, "cargo", arguments)
    }

    /// memtwin itself, built for release.
    pub(crate) fn memtwin(room: &Room) -> Self {
        let run = Run::cargo(&room.root, ["run", "--release", "--quiet", "--locked", "--manifest-path"]);
        run.with([room.root.join("Cargo.toml")]).with(["--bin", "memtwin", "--"])
    }

    /// `cargo arguments…` of another toolchain.
    pub(crate) fn cargo_of<A: AsRef<OsStr>>(
        folder: &Path,
        toolchain: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Run::new(folder, "rustup", ["run", toolchain, "cargo"]).with(arguments)
    }

    /// `cargo xtask`, which is this program: as it runs, for cargo may have put another in its place meanwhile.
    pub(crate) fn xtask(room: &Room) -> Self {
        let run = Run::new::<&str>(&room.root, "/proc/self/exe", []);
        Run { words: vec!["cargo".into(), "xtask".into()], ..run }
    }

    /// More arguments.
    pub(crate) fn with<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        for argument in arguments {
            self.words.push(argument.as_ref().to_owned());
            self.command.arg(argument);
        }
        self
    }

    /// The folder that it runs in.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.words.insert(0, format!("{name}={value}").into());
        self.command.env(name, value);
        self
    }

    /// Takes the caller's environment away, but for these variables. Call it before [`Run::env`].
    pub(crate) fn with_only_environment(mut self, kept: &[&str]) -> Self {
        self.command.env_clear();
        for name in kept {
            if let Some(value) = std::env::var_os(name) {
                self.command.env(name, value);
            }
        }
        self
    }

    /// Whether it can be run and says yes; shows nothing.
    pub(crate) fn probe(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Runs it; fails unless it succeeds.
    pub(crate) fn pass(mut self) -> Result<(), Trouble> {
        let words = self.show();
        let status = self.command.status().map_err(|error| Trouble::Failed(format!("{words}: {error}")))?;
        if status.success() { Ok(()) } else { Err(Trouble::Failed(format!("{words}: {status}"))) }
    }

    /// Runs it and shows nothing; fails unless it succeeds.
    pub(crate) fn quietly(mut self) -> Result<(), Trouble> {
        let output = self.command.output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(Trouble::Failed(format!("{}: {}", self.line(), last_lines(&String::from_utf8_lossy(&output.stderr)))))
    }

    /// Runs it and keeps what it prints.
    pub(crate) fn keep(mut self) -> Result<Printed, Trouble> {
        let words = self.show();
        let output = self.command.output().map_err(|error| Trouble::Failed(format!("{words}: {error}")))?;
        Ok(Printed {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts it as a group of its own, so that it can be ended with all that it starts. What it prints goes to a file.
    pub(crate) fn start(mut self, log: &Path) -> Result<Child, Trouble> {
        let words = self.show();
        let log = File::create(log)?;
        let errors = log.try_clone()?;
        let started = self.command.process_group(0).stdout(log).stderr(errors).spawn();
        started.map_err(|error| Trouble::Failed(format!("{words}: {error}")))
    }

    fn line(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    fn show(&self) -> String {
        let words = self.line();
        let _ = writeln!(anstream::stdout(), "$ {words}");
        words
    }
}

impl Printed {
    /// The standard output of a command that succeeded.
    pub(crate) fn success(self) -> Result<String, Trouble> {
        match self.code {
            Some(0) => Ok(self.out),
            code => Err(Trouble::Failed(format!("exit code {code:?}: {}", last_lines(&self.err)))),
        }
    }
}

/// The last lines of an error output: enough to see what happened.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
