//! The zygote: a single-threaded copy of the program, started anew without address-space randomisation, that forks a
//! worker for each job and watches it. It knows nothing of components.

use super::job::Reason;
use super::shared::SharedMemory;
use super::{fault, landlock, window, worker};
use crate::registry::Registry;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::io::Write as _;
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The environment variable that makes a program a zygote: three descriptors, for commands, the shared memory, and the
/// workers' standard output and error.
pub(super) const VARIABLE: &str = "MEMTWIN_ZYGOTE";
/// How often a worker's limits are looked at, in milliseconds.
const TICK_MILLISECONDS: u16 = 20;
/// A worker whose journal stands still for this much processor time hangs.
const HANG_PROCESSOR_TIME: Duration = Duration::from_secs(1);
/// A worker that sleeps while its journal stands still for this long is blocked for ever.
const BLOCKED_TIME: Duration = Duration::from_secs(10);
/// How long a worker may take to note where it hangs before it is killed.
const LAST_WORDS_MILLISECONDS: u16 = 500;
/// A worker that holds more than this may end after its trace, where what earlier traces left is part of it.
const LARGE_BYTES: u64 = 512 << 20;
/// The most memory that a worker may touch, in bytes.
const RESIDENT_LIMIT_BYTES: u64 = 3 << 30;
/// An op that takes the processor time of a hang and touched this much memory meanwhile, in bytes, does not hang: it
/// eats memory, and only the kernel's clearing of pages kept it from the limit.
const RUNAWAY_BYTES: u64 = 256 << 20;

pub(super) const FORK: u8 = b'f';
pub(super) const CANCEL: u8 = b'c';

/// Whether this process was started as a zygote.
#[must_use]
pub fn is_zygote() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Serves as a zygote, and never returns, if the environment asks for it. Call it first in `main`, before any thread.
pub fn serve_if_asked(registry: &Registry) {
    let Ok(descriptors) = std::env::var(VARIABLE) else { return };
    let numbers: Vec<RawFd> = descriptors.split(',').filter_map(|number| number.parse().ok()).collect();
    let [commands, memory, voice] = numbers[..] else { not_asked(&descriptors) };
    // SAFETY: asks whether the descriptors are open, and changes nothing.
    let are_open = [commands, memory, voice].iter().all(|number| 0 <= unsafe { libc::fcntl(*number, libc::F_GETFD) });
    if !are_open {
        not_asked(&descriptors);
    }
    // SAFETY: the parent left these three descriptors open for us, and nobody else in this process knows them.
    let [commands, memory, voice] = [commands, memory, voice].map(|number| unsafe { OwnedFd::from_raw_fd(number) });
    let Ok(shared) = SharedMemory::map(memory) else { not_asked(&descriptors) };
    // What asks a whole group or session to end is for the supervisor, which ends its workers in order.
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: ignoring a signal runs no code.
        let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) };
    }
    window::reserve();
    fault::install(&shared);
    landlock::enter();
    serve(&commands, &voice, shared, registry)
}

/// Somebody set the variable who is no supervisor.
fn not_asked(value: &str) -> ! {
    let _ = writeln!(
        std::io::stderr(),
        "error: {VARIABLE}={value:?} is not for users: the program sets it for processes of its own; unset it"
    );
    std::process::exit(2)
}

/// Ends the zygote, and with it whatever a worker may have left in its group of processes.
fn end_group() -> ! {
    let _ = kill(Pid::from_raw(0), Signal::SIGKILL);
    std::process::exit(0)
}

fn serve(commands: &OwnedFd, voice: &OwnedFd, mut shared: SharedMemory, registry: &Registry) -> ! {
    loop {
        let mut command = [0];
        match nix::unistd::read(commands, &mut command) {
            Ok(1) if command[0] == FORK => {}
            Ok(1) => continue,
            Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) | Err(_) => end_group(),
        }
        let trace_limit = Duration::from_millis(shared.get().job.trace_limit_milliseconds);
        // SAFETY: the zygote has one thread, so the child may use everything that the parent could.
        let (reason, status) = match unsafe { fork() } {
            Ok(ForkResult::Child) => worker::work(&mut shared, voice, registry),
            Ok(ForkResult::Parent { child }) => watch(child, commands.as_fd(), &shared, trace_limit),
            Err(_) => (Reason::NoWorker, 0),
        };
        let mut reply = [reason as u8, 0, 0, 0, 0];
        reply[1..].copy_from_slice(&status.to_le_bytes());
        if nix::unistd::write(commands, &reply) != Ok(reply.len()) {
            end_group();
        }
    }
}

/// What of a worker shows progress.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pulse {
    trace: u64,
    step: u32,
    output: u32,
}

fn pulse(shared: &SharedMemory) -> Pulse {
    let shared = shared.get();
    Pulse {
        trace: shared.trace.load(Ordering::Relaxed),
        step: shared.step.load(Ordering::Relaxed),
        output: shared.output_length.load(Ordering::Relaxed),
    }
}

/// Waits for the worker's end, or brings it about.
fn watch(child: Pid, commands: BorrowedFd<'_>, shared: &SharedMemory, trace_limit: Duration) -> (Reason, i32) {
    // SAFETY: pidfd_open takes a process number and flags and returns a descriptor or an error (man 2 pidfd_open).
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0) };
    let Ok(descriptor) = RawFd::try_from(descriptor) else { return end(child, Reason::NoWorker) };
    if descriptor < 0 {
        return end(child, Reason::NoWorker);
    }
    // SAFETY: the descriptor is new and ours.
    let worker = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let mut last = pulse(shared);
    let mut since = Instant::now();
    let mut processor_time_then = processor_time(child);
    let mut trace_began = processor_time_then;
    let mut resident_bytes_then = resident_bytes(child);
    loop {
        let mut events = [PollFd::new(worker.as_fd(), PollFlags::POLLIN), PollFd::new(commands, PollFlags::POLLIN)];
        let ready = poll(&mut events, PollTimeout::from(TICK_MILLISECONDS)).unwrap_or(0);
        if events[0].any().unwrap_or(false) {
            return end(child, Reason::None);
        }
        if events[1].any().unwrap_or(false) {
            let mut command = [0];
            match nix::unistd::read(commands, &mut command) {
                Ok(1) if command[0] != CANCEL => {}
                Ok(_) | Err(_) => {
                    let _ = kill(child, Signal::SIGKILL);
                    return end(child, Reason::Cancelled);
                }
            }
        }
        if ready != 0 {
            continue;
        }
        let now = pulse(shared);
        let processor_time_now = processor_time(child);
        let resident_bytes_now = resident_bytes(child);
        if LARGE_BYTES < resident_bytes_now {
            shared.get().is_large.store(1, Ordering::Relaxed);
        }
        if now.trace != last.trace {
            trace_began = processor_time_now;
        }
        if now != last {
            last = now;
            since = Instant::now();
            processor_time_then = processor_time_now;
            resident_bytes_then = resident_bytes_now;
        }
        let spent = processor_time_now.saturating_sub(processor_time_then);
        let blocked = BLOCKED_TIME <= since.elapsed() && is_asleep(child);
        let stands_still = HANG_PROCESSOR_TIME <= spent || blocked;
        let grown_bytes = resident_bytes_now.saturating_sub(resident_bytes_then);
        let reason = if RESIDENT_LIMIT_BYTES < resident_bytes_now || stands_still && RUNAWAY_BYTES < grown_bytes {
            Reason::Memory
        } else if stands_still {
            Reason::Hang
        } else if trace_limit <= processor_time_now.saturating_sub(trace_began) {
            Reason::TooLong
        } else {
            continue;
        };
        // The worker gets a moment to note its frames; a subject that blocks signals loses only that.
        let _ = kill(child, if reason == Reason::Hang { fault::HANG_SIGNAL } else { fault::MEMORY_SIGNAL });
        let mut events = [PollFd::new(worker.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut events, PollTimeout::from(LAST_WORDS_MILLISECONDS));
        let _ = kill(child, Signal::SIGKILL);
        return end(child, reason);
    }
}

/// Collects the worker. The status is an exit code, or a signal's number below zero.
fn end(child: Pid, reason: Reason) -> (Reason, i32) {
    if reason == Reason::NoWorker {
        let _ = kill(child, Signal::SIGKILL);
    }
    let status = loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => break code,
            Ok(WaitStatus::Signaled(_, signal, _)) => break -(signal as i32),
            Err(nix::errno::Errno::EINTR) | Ok(_) => {}
            Err(_) => break 0,
        }
    };
    (reason, status)
}

fn processor_time(child: Pid) -> Duration {
    nix::time::clock_getcpuclockid(child).and_then(nix::time::clock_gettime).map_or(Duration::ZERO, Duration::from)
}

/// Whether all its threads sleep: the state letters in /proc/PID/task/TID/stat (man 5 proc) are S and D.
fn is_asleep(child: Pid) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{child}/task")) else { return false };
    threads.flatten().all(|thread| {
        let text = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        text.rsplit_once(')').is_some_and(|(_, rest)| matches!(rest.trim_start().as_bytes().first(), Some(b'S' | b'D')))
    })
}

/// The second number in /proc/PID/statm, in pages of 4 KiB.
fn resident_bytes(child: Pid) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{child}/statm")).unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
