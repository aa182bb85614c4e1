//! Supervision of a fuzzer that runs subjects in its own process (libFuzzer): the process forks before it begins, the
//! child fuzzes and notes each input in shared memory, the parent waits. When the child dies the parent has the input
//! and a process that never saw the subject. The fuzzer's own handlers, artifacts and exit code stay as they are.

use super::{shared::SharedMemory, window};
use memtwin_models::wire::MAX_WIRE_BYTES;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

/// The child's process, for the signal handler.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// Notes what the fuzzer does, in memory that outlives it.
#[derive(Debug)]
pub(crate) struct Notes {
    shared: SharedMemory,
}

impl Notes {
    /// Notes that this target is about to run on these bytes.
    pub(crate) fn begin(&mut self, target: usize, wire: &[u8]) {
        let shared = self.shared.get_mut();
        shared.set_wire(&wire[..wire.len().min(MAX_WIRE_BYTES)]);
        // Targets are counted from 1: 0 means that none is running.
        #[allow(clippy::cast_possible_truncation)] // an index into a list in memory
        shared.step.store(target as u32 + 1, Ordering::Release);
    }

    /// Notes that nothing is running.
    pub(crate) fn end(&mut self) {
        self.shared.get_mut().step.store(0, Ordering::Release);
    }

    fn running(&self) -> Option<(usize, Vec<u8>)> {
        let shared = self.shared.get();
        let target = shared.step.load(Ordering::Acquire).checked_sub(1)?;
        Some((target as usize, shared.wire().to_vec()))
    }
}

/// How a fuzzer ended.
#[derive(Debug)]
pub(crate) struct FuzzerEnd {
    /// The exit code, or 128 + the signal's number, as shells say it.
    pub(crate) code: i32,
    /// What was running, if it ended badly.
    pub(crate) running: Option<(usize, Vec<u8>)>,
}

/// Forks. Returns in the child with notes to write; in the parent waits and calls `ended`, which ends the process.
pub(crate) fn supervise(ended: impl FnOnce(FuzzerEnd) -> i32) -> io::Result<Notes> {
    let notes = Notes { shared: SharedMemory::create()? };
    // SAFETY: called before the fuzzer makes threads, so the child may use everything that the parent could.
    match unsafe { fork() }? {
        ForkResult::Child => {
            nix::sys::prctl::set_pdeathsig(Some(Signal::SIGKILL))?;
            window::reserve();
            Ok(notes)
        }
        ForkResult::Parent { child } => {
            CHILD.store(child.as_raw(), Ordering::Relaxed);
            for forwarded in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
                // SAFETY: the handler makes one system call.
                unsafe { signal(forwarded, SigHandler::Handler(forward)) }?;
            }
            let code = wait(child);
            let running = if code == 0 { None } else { notes.running() };
            std::process::exit(ended(FuzzerEnd { code, running }));
        }
    }
}

extern "C" fn forward(number: libc::c_int) {
    if let Ok(signal) = Signal::try_from(number) {
        let _ = kill(Pid::from_raw(CHILD.load(Ordering::Relaxed)), signal);
    }
}

fn wait(child: Pid) -> i32 {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as i32,
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}
