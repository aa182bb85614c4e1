//! What asks the program to end: Ctrl-C, `kill`, a terminal that goes away. The first such signal asks for an end in
//! order; a second one, a moment later, ends the process at once.

use super::monotonic_nanoseconds;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A signal this soon after the first is part of the same request: `timeout` sends one to its child and one to the
/// group.
const MOMENT_NANOSECONDS: u64 = 1_000_000_000;

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Interrupts {
    /// Becomes true at the first signal.
    pub flag: Arc<AtomicBool>,
    signal: Arc<AtomicI32>,
}

impl Interrupts {
    /// The exit code of a program that a signal ended in order, as shells say it: 128 and the signal's number.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let signal = self.signal.load(Ordering::Relaxed);
        128 + u8::try_from(if signal == 0 { libc::SIGINT } else { signal }).unwrap_or(0)
    }
}

/// What the handler writes to, and when the first signal came; 0 before it.
static ASKED: OnceLock<Interrupts> = OnceLock::new();
static FIRST: AtomicU64 = AtomicU64::new(0);

/// Listens for SIGINT, SIGTERM and SIGHUP from now on. One that is ignored from the start, as under `nohup`, stays
/// ignored. Writing beyond a limit on the size of files becomes an error like any other, not a death.
pub fn interrupts() -> io::Result<Interrupts> {
    // SAFETY: ignoring a signal runs no code.
    unsafe { nix::sys::signal::signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
    let none = || Interrupts { flag: Arc::new(AtomicBool::new(false)), signal: Arc::new(AtomicI32::new(0)) };
    let interrupts = ASKED.get_or_init(none).clone();
    let action = SigAction::new(SigHandler::Handler(asked), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        if !is_ignored(signal as libc::c_int) {
            // SAFETY: the handler reads a clock, uses atomics and may end the process; all of that is
            // async-signal-safe.
            unsafe { sigaction(signal, &action) }?;
        }
    }
    Ok(interrupts)
}

extern "C" fn asked(signal: libc::c_int) {
    let errno = Errno::last();
    let now = monotonic_nanoseconds();
    match FIRST.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            // There before the handler was. Reading it is one load.
            if let Some(interrupts) = ASKED.get() {
                interrupts.signal.store(signal, Ordering::Relaxed);
                interrupts.flag.store(true, Ordering::Relaxed);
            }
        }
        // SAFETY: _exit is async-signal-safe and never returns.
        Err(first) if first + MOMENT_NANOSECONDS < now => unsafe { libc::_exit(128 + signal) },
        Err(_) => {}
    }
    errno.set();
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: all zero is a valid sigaction, which the call overwrites.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks for the present action and sets none.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}
