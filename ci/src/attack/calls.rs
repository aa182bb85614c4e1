//! Calls of the program: started as a group of their own, watched until they end or hang. What they print is kept.
//! Nothing is judged here.

use super::processes::{self, Watched};
use memtwin::drivers::command::Trouble;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// As much of what a call prints as is looked at.
const MOST_PRINTED_BYTES: u64 = 8 << 20;
/// How long a call may make no progress, in seconds: neither end nor use a processor.
const STILL_SECONDS: u64 = 10;
/// How much processor time a call may take that asks for no more, in seconds.
const BUSY_SECONDS: u64 = 10;
/// How often a call is looked at.
const LOOK: Duration = Duration::from_millis(4);

/// A call that has not been made.
#[derive(Debug, Clone)]
pub(super) struct Call {
    words: Vec<OsString>,
    folder: PathBuf,
    /// Files below the folder without which the call cannot be made again.
    pub(super) needs: Vec<PathBuf>,
    busy_seconds: u64,
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The exit code; 128 and the signal after a signal, as shells have it.
    pub(super) code: i32,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    pub(super) peak_bytes: u64,
    /// Why it was ended, if it did not end by itself.
    pub(super) hung: Option<String>,
    /// Processes that it left behind, which are gone now.
    pub(super) left: usize,
}

/// A call that runs.
pub(super) struct Running {
    pub(super) child: Child,
    out: Option<JoinHandle<Vec<u8>>>,
    err: Option<JoinHandle<Vec<u8>>>,
    mark: String,
    busy: Duration,
}

impl Call {
    pub(super) fn new(folder: &Path, program: &Path) -> Self {
        let words = vec![program.as_os_str().to_owned()];
        Call { words, folder: folder.to_owned(), needs: Vec::new(), busy_seconds: BUSY_SECONDS }
    }

    pub(super) fn with<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.words.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Paths below the folder that are kept where the call fails.
    pub(super) fn needing<P: AsRef<Path>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.needs.extend(paths.into_iter().map(|path| path.as_ref().to_owned()));
        self
    }

    /// In another folder.
    pub(super) fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// With more processor time than a call needs that only reads a file.
    pub(super) fn busy(mut self, seconds: u64) -> Self {
        self.busy_seconds = seconds;
        self
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// As a line of a shell.
    pub(super) fn line(&self) -> String {
        let quoted = |word: &OsString| match word.to_str().map(|text| (text, shlex::try_quote(text))) {
            Some((text, Ok(quoted))) if text.chars().all(|character| matches!(character, ' '..='~')) => {
                quoted.into_owned()
            }
            // What a terminal might obey is written as bash reads it.
            _ => format!("$'{}'", word.as_encoded_bytes().escape_ascii()),
        };
        self.words.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// Makes the call and waits for its end.
    pub(super) fn run(&self) -> Result<Ended, Trouble> {
        self.start()?.wait()
    }

    pub(super) fn start(&self) -> Result<Running, Trouble> {
        let failed = |error: std::io::Error| Trouble::Failed(format!("{}: {error}", self.line()));
        let mark = processes::fresh_mark();
        let (program, arguments) = self.words.split_first().ok_or_else(|| Trouble::Failed("no program".into()))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).env(processes::MARK, &mark).process_group(0);
        command.env_remove("LD_LIBRARY_PATH").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
        // Pipes, not files: limits on files are for what the program writes itself.
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let (out, err) = (child.stdout.take().map(gather), child.stderr.take().map(gather));
        Ok(Running { child, out, err, mark, busy: Duration::from_secs(self.busy_seconds) })
    }
}

impl Running {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processes that it consists of now, wherever their parents are.
    pub(super) fn processes(&self) -> usize {
        processes::marked(&self.mark).len()
    }

    /// Waits until it ends, or ends it where it hangs.
    pub(super) fn wait(mut self) -> Result<Ended, Trouble> {
        let (mut peak_bytes, mut hung) = (0, None);
        let mut watched = Watched::new(self.id());
        let mut next_measure = Instant::now() + Duration::from_secs(1);
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            peak_bytes = peak_bytes.max(processes::peak_bytes(self.id()));
            if next_measure <= Instant::now() && hung.is_none() {
                next_measure = Instant::now() + Duration::from_secs(1);
                let busy = watched.measure();
                if self.busy < busy {
                    hung = Some(format!("used {} s of processor time", busy.as_secs()));
                } else if Duration::from_secs(STILL_SECONDS) < watched.still_for() {
                    hung = Some(format!("did nothing for {STILL_SECONDS} s"));
                }
                if hung.is_some() {
                    processes::end_marked(&self.mark);
                    self.child.kill()?;
                }
            }
            std::thread::sleep(LOOK);
        };
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        let left = processes::end_left(&self.mark);
        let bytes = |gathering: Option<JoinHandle<Vec<u8>>>| gathering.and_then(|handle| handle.join().ok());
        let (out, err) = (bytes(self.out).unwrap_or_default(), bytes(self.err).unwrap_or_default());
        Ok(Ended { code, out, err, peak_bytes, hung, left })
    }
}

/// Reads a pipe to its end on a thread of its own, and keeps the beginning.
fn gather(pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (mut bytes, mut pipe) = (Vec::new(), pipe);
        let _ = pipe.by_ref().take(MOST_PRINTED_BYTES).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        bytes
    })
}
