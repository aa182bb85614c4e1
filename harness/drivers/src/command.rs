//! Commands: each is shown before it runs, and a failure names it. It hides nothing: what a command prints is printed,
//! unless the caller asks for it.

use memtwin_core::{program, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
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

impl std::fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Failed(what) => formatter.write_str(what),
            Trouble::Skipped { why, remedy } => write!(formatter, "{why}; {remedy}"),
        }
    }
}

impl Trouble {
    /// As an error of a verb that could not do its work.
    #[must_use]
    pub fn into_error(self) -> Box<dyn std::error::Error> {
        self.to_string().into()
    }
}

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Trouble::Failed(error.to_string())
    }
}

/// What a command printed, and its exit code; `None` after a signal.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Printed {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A command.
#[derive(Debug)]
pub struct Run {
    words: Vec<OsString>,
    command: Command,
}

impl Run {
    /// `program arguments…`, in `folder`.
    pub fn new<A: AsRef<OsStr>>(folder: &Path, program: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        // Set by the cargo that runs this program; a cargo of another toolchain must not load this one's libraries.
        command.env_remove("LD_LIBRARY_PATH");
        Run { words: vec![program.into()], command }.with(arguments)
    }

    /// `cargo arguments…`.
    pub fn cargo<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        Run::new(folder, "cargo", arguments)
    }

    /// `cargo arguments…` of another toolchain.
    pub fn cargo_of<A: AsRef<OsStr>>(folder: &Path, toolchain: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        Run::new(folder, "rustup", ["run", toolchain, "cargo"]).with(arguments)
    }

    /// This program, as it runs: cargo may have put another in its place meanwhile. It is shown as it was called.
    #[must_use]
    pub fn this_program(folder: &Path) -> Self {
        let mut run = Run::new::<&str>(folder, "/proc/self/exe", []);
        let called = program::called();
        run.command.arg0(&called);
        Run { words: vec![called.into()], ..run }
    }

    /// More arguments.
    pub fn with<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        for argument in arguments {
            self.words.push(argument.as_ref().to_owned());
            self.command.arg(argument);
        }
        self
    }

    /// The folder that it runs in.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// An environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.words.insert(0, format!("{name}={value}").into());
        self.command.env(name, value);
        self
    }

    /// Takes the caller's environment away, but for these variables. Call it before [`Run::env`].
    pub fn with_only_environment(mut self, kept: &[&str]) -> Self {
        self.command.env_clear();
        for name in kept {
            if let Some(value) = std::env::var_os(name) {
                self.command.env(name, value);
            }
        }
        self
    }

    /// Whether it can be run and says yes; shows nothing.
    pub fn probe(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Runs it; fails unless it succeeds.
    pub fn pass(mut self) -> Result<(), Trouble> {
        let words = self.show();
        let status = self.command.status().map_err(|error| Trouble::Failed(format!("{words}: {error}")))?;
        if status.success() { Ok(()) } else { Err(Trouble::Failed(format!("{words}: {status}"))) }
    }

    /// Runs it and shows nothing; fails unless it succeeds.
    pub fn quietly(mut self) -> Result<(), Trouble> {
        let output = self.command.output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(Trouble::Failed(format!("{}: {}", self.line(), last_lines(&String::from_utf8_lossy(&output.stderr)))))
    }

    /// Runs it and keeps what it prints.
    pub fn keep(self) -> Result<Printed, Trouble> {
        self.show();
        self.ask()
    }

    /// As [`Run::keep`], for what only asks and changes nothing: it is not shown.
    pub fn ask(mut self) -> Result<Printed, Trouble> {
        let words = self.line();
        let output = self.command.output().map_err(|error| Trouble::Failed(format!("{words}: {error}")))?;
        Ok(Printed {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// As [`Run::keep`]; where someone asks for an end meanwhile, so is the command.
    pub fn keep_until(mut self, interrupted: &AtomicBool) -> Result<Printed, Trouble> {
        let words = self.show();
        let failed = |error: io::Error| Trouble::Failed(format!("{words}: {error}"));
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let (out, err) = (scope.spawn(|| all_of(out)), scope.spawn(|| all_of(err)));
            let status = ended(&mut child, interrupted).map_err(failed)?;
            let text = |reader: std::thread::ScopedJoinHandle<'_, String>| reader.join().unwrap_or_default();
            Ok(Printed { code: status.code(), out: text(out), err: text(err) })
        })
    }

    /// Starts it as a group of its own, so that it can be ended with all that it starts. What it prints goes to a file.
    pub fn start(mut self, log: &Path) -> Result<Child, Trouble> {
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
        tell(&format!("$ {words}"));
        words
    }
}

impl Printed {
    /// The standard output of a command that succeeded.
    pub fn success(self) -> Result<String, Trouble> {
        match self.code {
            Some(0) => Ok(self.out),
            code => Err(Trouble::Failed(format!("exit code {code:?}: {}", last_lines(&self.err)))),
        }
    }
}

/// The last lines of an error output: enough to see what happened.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// A line on standard output. Where nobody reads it the run goes on, and its end is that of the run.
pub fn tell(line: &str) {
    let _ = writeln!(anstream::stdout(), "{}", text::line(line));
}

/// All that a command prints, as text.
fn all_of(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is there.
    let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits; asks it to end when someone interrupts, and makes it if it does not.
fn ended(child: &mut Child, interrupted: &AtomicBool) -> io::Result<ExitStatus> {
    let mut deadline = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match deadline {
            None if interrupted.load(Ordering::Relaxed) => {
                // One that has ended meanwhile needs no signal.
                let _ = i32::try_from(child.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGTERM));
                deadline = Some(Instant::now() + GRACE);
            }
            Some(deadline) if deadline <= Instant::now() => child.kill()?,
            None | Some(_) => {}
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        Run::new(Path::new("."), "sh", ["-c", script])
    }

    #[test]
    fn what_a_command_prints_is_kept_and_its_code_told() {
        let printed = shell("echo one; echo two >&2; exit 3").keep_until(&AtomicBool::new(false)).unwrap();
        assert_eq!((printed.code, printed.out.as_str(), printed.err.as_str()), (Some(3), "one\n", "two\n"));
    }

    #[test]
    fn an_interrupt_is_handed_on() {
        let looping = shell("trap 'echo asked; exit 4' TERM; while :; do sleep 0.05; done");
        let (flag, started) = (AtomicBool::new(false), Instant::now());
        let printed = std::thread::scope(|scope| {
            let running = scope.spawn(|| looping.keep_until(&flag));
            // Asked before the shell listens, it ends by the signal itself.
            flag.store(true, Ordering::Relaxed);
            running.join().unwrap().unwrap()
        });
        assert!(matches!(printed.code, Some(4) | None), "{printed:?}");
        assert!(started.elapsed() < GRACE);
    }

    #[test]
    fn troubles_say_what_to_do() {
        let skipped =
            Trouble::Skipped { why: "no cargo-fuzz".to_owned(), remedy: "cargo install cargo-fuzz".to_owned() };
        assert_eq!(skipped.to_string(), "no cargo-fuzz; cargo install cargo-fuzz");
    }
}
