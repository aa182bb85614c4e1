//! The supervisor's side of a zygote: starts it, asks it for workers, hears what they say, and ends it. It judges
//! nothing.

use super::job::Reason;
use super::{IsolationError, zygote};
use crate::turns::STACK_BYTES;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::personality::Persona;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How much of a worker's standard output and error is kept, in bytes.
const VOICE_BYTES: usize = 4096;
/// How many pieces of what a worker said are taken after its end. More than a socket holds: a process that should not
/// be there and says something without end is not listened to for ever.
const LAST_PIECES: usize = 64;
/// How often a waiting supervisor looks whether it was interrupted.
const INTERRUPT_CHECK_MILLISECONDS: u16 = 50;
/// How long the workers of a zygote that is gone may take to end. The kernel kills them at once.
const ORPHANS_END_MILLISECONDS: u16 = 5000;
/// How a zygote is started.
#[derive(Debug)]
pub(super) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// A zygote, and what its workers say.
#[derive(Debug)]
pub(super) struct ZygoteProcess {
    child: Child,
    commands: UnixStream,
    voice: UnixStream,
    /// What the worker of the job said on standard output and error, from the start.
    heard: Vec<u8>,
}

impl ZygoteProcess {
    pub(super) fn start(launch: &Launch, shared: BorrowedFd<'_>) -> Result<Self, IsolationError> {
        let failed = |source| IsolationError::Start { program: launch.program.clone(), source };
        let (commands, zygote_commands) = UnixStream::pair().map_err(failed)?;
        let (voice, worker_voice) = UnixStream::pair().map_err(failed)?;
        voice.set_nonblocking(true).map_err(failed)?;
        // It is standard input, too, where there is nothing to be read.
        worker_voice.shutdown(Shutdown::Read).map_err(failed)?;
        let kept = [zygote_commands.as_raw_fd(), shared.as_raw_fd(), worker_voice.as_raw_fd()];
        let child = spawn(launch, kept, &worker_voice).map_err(failed)?;
        Ok(ZygoteProcess { child, commands, voice, heard: Vec::new() })
    }

    /// Has one worker do the job in the shared memory, and says how it ended. An error means that the zygote is gone.
    pub(super) fn run_worker(&mut self, interrupted: &AtomicBool) -> io::Result<(Reason, i32)> {
        self.heard.clear();
        self.commands.write_all(&[zygote::FORK])?;
        let mut cancelled = false;
        loop {
            let mut events = [&self.commands, &self.voice].map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
            let ready = poll(&mut events, INTERRUPT_CHECK_MILLISECONDS).unwrap_or(0);
            let [has_reply, has_voice] = events.map(|event| ready != 0 && event.any().unwrap_or(false));
            if has_voice {
                self.hear();
            }
            if has_reply {
                break;
            }
            if interrupted.load(Ordering::Relaxed) && !cancelled {
                cancelled = true;
                self.commands.write_all(&[zygote::CANCEL])?;
            }
        }
        let mut reply = [0; 5];
        self.commands.read_exact(&mut reply)?;
        for _ in 0..LAST_PIECES {
            if !self.hear() {
                break;
            }
        }
        let [reason, status @ ..] = reply;
        Ok((Reason::of(reason)?, i32::from_le_bytes(status)))
    }

    /// What the last worker said.
    pub(super) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).trim_end().to_owned()
    }

    /// Ends the zygote and waits until its workers are gone too: they hold the other end of the voice. Says whether
    /// they are.
    pub(super) fn end(&mut self) -> bool {
        self.kill();
        let mut chunk = [0; 4096];
        for _ in 0..LAST_PIECES {
            match self.voice.read(&mut chunk) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut events = [PollFd::new(self.voice.as_fd(), PollFlags::POLLIN)];
                    if poll(&mut events, ORPHANS_END_MILLISECONDS) == Ok(0) {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        false
    }

    /// Kills the zygote's whole group. It is collected afterwards, so the number is still that of this group.
    fn kill(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }

    /// Takes what the worker says, so that much talk never blocks it, and keeps the start; says whether there was any.
    fn hear(&mut self) -> bool {
        let mut chunk = [0; 1 << 16];
        let Ok(length @ 1..) = self.voice.read(&mut chunk) else { return false };
        let room = VOICE_BYTES.saturating_sub(self.heard.len()).min(length);
        self.heard.extend_from_slice(&chunk[..room]);
        true
    }
}

impl Drop for ZygoteProcess {
    fn drop(&mut self) {
        // The zygote ends when its commands end; should it not, it is ended.
        let _ = self.commands.shutdown(Shutdown::Both);
        for _ in 0..50 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.kill();
    }
}

/// Starts the program as a zygote that keeps these descriptors.
fn spawn(launch: &Launch, kept: [RawFd; 3], voice: &UnixStream) -> io::Result<Child> {
    let standard = || voice.try_clone().map(OwnedFd::from).map(Stdio::from);
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments);
    command.env(zygote::VARIABLE, kept.map(|descriptor| descriptor.to_string()).join(","));
    command.envs(crate::library::environment());
    command.stdin(standard()?).stdout(standard()?).stderr(standard()?);
    // Signals to the supervisor's group are for the supervisor, which ends its workers in order.
    command.process_group(0);
    let prepare = move || {
        for descriptor in kept {
            // SAFETY: clears close-on-exec of a descriptor that is open; fcntl is async-signal-safe.
            if unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        // Same addresses in every run. Where it is forbidden, runs differ in addresses only, which no outcome holds.
        let _ = nix::sys::personality::set(Persona::ADDR_NO_RANDOMIZE);
        if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_STACK) {
            // So that a stack overflows at the same op everywhere.
            let _ = setrlimit(Resource::RLIMIT_STACK, (STACK_BYTES as u64).min(hard), hard);
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}
