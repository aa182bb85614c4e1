//! The fault handler of workers: writes signal, address and frames into the shared, then lets the signal have its way.

use super::shared::{MAX_FRAMES, Shared, SharedMemory};
use crate::turns::{self, HANDLER_STACK_BYTES};
use memtwin_wild as wild;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

/// Sent to a worker that hangs, so that it notes where.
pub(super) const HANG_SIGNAL: Signal = Signal::SIGPROF;
/// Sent to a worker that uses too much memory, by the zygote or by its own allocator.
pub(super) const MEMORY_SIGNAL: Signal = Signal::SIGVTALRM;

/// The signals that the handler takes, and the only ones that the sandbox lets a worker send itself.
pub(super) const HANDLED: [Signal; 9] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGABRT,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    HANG_SIGNAL,
    MEMORY_SIGNAL,
];

/// Below the stack's lowest address the kernel keeps a gap (vm.stack_guard_gap, 256 pages); big frames may jump into
/// it.
const STACK_GAP_BYTES: u64 = 2 << 20;

static ZYGOTE: AtomicI32 = AtomicI32::new(0);
static SLOT: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());
/// Whether a signal from elsewhere was passed on from one thread to another.
static PASSED_ON: AtomicBool = AtomicBool::new(false);
static STACK_LOW: AtomicU64 = AtomicU64::new(0);
static STACK_HIGH: AtomicU64 = AtomicU64::new(0);

/// Installs the handler in the zygote; workers inherit it. AddressSanitizer gives way to it
/// (allow_user_segv_handler is its default).
pub(super) fn install(shared: &SharedMemory) {
    SLOT.store(shared.as_ptr(), Ordering::Relaxed);
    ZYGOTE.store(nix::unistd::getpid().as_raw(), Ordering::Relaxed);
    note_stack();
    // The unwinder loads its tables on first use; the handler must not be the first.
    let mut frames = 0;
    backtrace::trace(|_| {
        frames += 1;
        frames < MAX_FRAMES
    });
    let stack = Box::leak(vec![0_u8; HANDLER_STACK_BYTES].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: HANDLER_STACK_BYTES };
    // SAFETY: the stack is leaked, so it lives as long as the process; the old one is not asked for.
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK | SaFlags::SA_NODEFER;
    let action = SigAction::new(SigHandler::SigAction(handle), flags, SigSet::empty());
    for signal in HANDLED {
        // SAFETY: the handler does only what is written beside it, and the process ends after it.
        let _ = unsafe { sigaction(signal, &action) };
    }
    // AddressSanitizer's runtime is no subject: it ends the process where memory is refused.
    if !super::has_address_sanitizer() {
        wild::requests::handler_is_there();
    }
}

fn note_stack() {
    let local = 0_u8;
    let high = ptr::from_ref(&local) as u64;
    let size = getrlimit(Resource::RLIMIT_STACK).map_or(8 << 20, |(soft, _)| soft.min(64 << 20));
    STACK_HIGH.store(high, Ordering::Relaxed);
    STACK_LOW.store(high.saturating_sub(size + STACK_GAP_BYTES), Ordering::Relaxed);
}

/// Whether a system call that the sandbox refuses is answered with EPERM, and the subject goes on: libraries ask for
/// much that they can do without.
static ANSWERS_REFUSALS: AtomicBool = AtomicBool::new(false);

/// From now on a refused system call is put on record and answered with EPERM.
pub(super) fn answer_refusals() {
    ANSWERS_REFUSALS.store(true, Ordering::Relaxed);
}

/// Answers a system call that was refused, if that is wanted.
fn answered(signal: libc::c_int, context: *mut libc::c_void) -> bool {
    if signal != libc::SIGSYS || !ANSWERS_REFUSALS.load(Ordering::Relaxed) {
        return false;
    }
    // SAFETY: the kernel passes the interrupted context as a ucontext_t (man 2 sigaction), and takes it back as it is
    // left.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let result = &mut context.uc_mcontext.gregs[libc::REG_RAX as usize];
    let call = *result;
    *result = i64::from(-libc::EPERM);
    // SAFETY: the shared is mapped for the life of the process; a number is stored.
    if let Some(shared) = unsafe { SLOT.load(Ordering::Relaxed).as_ref() } {
        shared.refused_call.store(u32::try_from(call + 1).unwrap_or(0), Ordering::Relaxed);
    }
    true
}

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to SA_SIGINFO handlers.
    let info = unsafe { &*info };
    if wild::requests::is_dispatched(signal, info.si_code) {
        // SAFETY: the kernel passes the interrupted context as a ucontext_t (man 2 sigaction), and takes it back as it
        // is left.
        return wild::requests::answer(unsafe { &mut *context.cast::<libc::ucontext_t>() });
    }
    wild::requests::leave();
    if answered(signal, context) || is_passed_on(signal, info) {
        return;
    }
    // From here on a second fault has its way at once.
    for handled in HANDLED {
        // SAFETY: restoring the default action is async-signal-safe (man 7 signal-safety).
        unsafe { libc::signal(handled as i32, libc::SIG_DFL) };
    }
    let code = info.si_code;
    // SAFETY: the shared is mapped for the life of the process, and only this thread runs in it now.
    if let Some(shared) = unsafe { SLOT.load(Ordering::Relaxed).as_mut() } {
        let record = &mut shared.fault;
        record.code = code;
        // SAFETY: si_addr is valid for the fault signals; for others it is bits of other fields, which nobody reads.
        record.address = unsafe { info.si_addr() } as u64;
        // SAFETY: the kernel passes the interrupted context as a ucontext_t (man 2 sigaction).
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        record.instruction = context.uc_mcontext.gregs[libc::REG_RIP as usize].cast_unsigned();
        if let Some(address) = wild::simulated_fault() {
            record.address = address;
        } else if let Some(address) = wild::guest_address(record.address) {
            record.address = address;
        }
        let of_first = || STACK_LOW.load(Ordering::Relaxed)..STACK_HIGH.load(Ordering::Relaxed);
        let stack = turns::stack_of_this_thread().unwrap_or_else(of_first);
        record.is_stack_overflow = u32::from(signal == libc::SIGSEGV && stack.contains(&record.address));
        record.is_from_elsewhere = u32::from(is_from_elsewhere(info) || PASSED_ON.load(Ordering::Relaxed));
        record.signal.store(signal.cast_unsigned(), Ordering::Release);
        note_frames(shared);
    }
    // A fault comes again when the instruction is tried again; a trap does not, for its instruction is done, and a sent
    // signal (its code is not above 0, man 2 sigaction) has no instruction.
    let is_sent = code <= 0 || matches!(signal, libc::SIGABRT | libc::SIGPROF | libc::SIGVTALRM | libc::SIGSYS);
    if is_sent || signal == libc::SIGTRAP {
        // SAFETY: raise is async-signal-safe.
        unsafe { libc::raise(signal) };
    }
}

/// What another process sends to this one meets any of its threads, and mostly the first. Where another thread's turn
/// it is, that one gets it: the frames are to be those of the thread that runs.
fn is_passed_on(signal: libc::c_int, info: &libc::siginfo_t) -> bool {
    let Some(other) = turns::is_anothers_turn().filter(|_| info.si_code == libc::SI_USER) else { return false };
    PASSED_ON.store(is_from_elsewhere(info), Ordering::Relaxed);
    // SAFETY: tgkill takes numbers, and is async-signal-safe; it fails for a thread that is gone.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, nix::unistd::getpid().as_raw(), other, signal) };
    sent == 0
}

/// Whether a process sent the signal that is neither this one nor its zygote. Codes above 0 are the kernel's (man 2
/// sigaction).
fn is_from_elsewhere(info: &libc::siginfo_t) -> bool {
    // SAFETY: a signal that was sent has its sender's process (man 2 sigaction); for others it is not asked.
    let sender = || unsafe { info.si_pid() };
    info.si_code <= 0 && ![nix::unistd::getpid().as_raw(), ZYGOTE.load(Ordering::Relaxed)].contains(&sender())
}

/// Unwinds. Not async-signal-safe by the letter: if it faults or blocks, the record above is complete, and the zygote's
/// watch ends the worker.
fn note_frames(shared: &mut Shared) {
    let record = &mut shared.fault;
    if let Some((name, addresses)) = wild::library::loaded() {
        record.library.set(name.to_bytes());
        (record.library_start, record.library_end) = (addresses.start, addresses.end);
    }
    let mut count = 0;
    // SAFETY: the process has one thread that still matters, so nobody else uses the unwinder's tables.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            record.frames[count] = frame.ip() as u64;
            count += 1;
            #[allow(clippy::cast_possible_truncation)] // at most MAX_FRAMES
            record.frame_count.store(count as u32, Ordering::Release);
            count < MAX_FRAMES
        });
    }
}

/// Notes the frames of a panic, from the panic hook.
pub(super) fn note_panic(message: &str) {
    // SAFETY: the shared is mapped for the life of the process; the hook runs in the one thread that uses it.
    if let Some(shared) = unsafe { SLOT.load(Ordering::Relaxed).as_mut() } {
        shared.message.set(message);
        note_frames(shared);
    }
}
