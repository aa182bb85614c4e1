//! Requests to the system for memory that a plan refuses: the record that whoever calls an allocator shares with the
//! fault handler, and what the handler answers in the kernel's stead.
//!
//! While a thread is within a call ([`within`]), the kernel hands its system calls to the handler of SIGSYS (Syscall
//! User Dispatch, Linux 5.11), which refuses what the plan says and makes every other call as it was asked for. A
//! filter of system calls would not do: it traps outside of such calls too, and a thread of glibc that ends gives back
//! its stack with all signals blocked, where a trap is death. Does not touch anything where no handler has said that it
//! is there.

use std::arch::asm;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, compiler_fence};

/// What is asked of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Memory: `mmap` of no file, `brk`, `mremap`.
    Map = 1,
    /// To take memory back: `munmap`.
    Unmap = 2,
    /// To treat memory otherwise: `madvise`, `mprotect`.
    Advise = 3,
}

/// Which requests are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Their kind.
    pub kind: Kind,
    /// The number of the first of that kind that is refused; the first that is made has number 0.
    pub first: u32,
    /// The number of the last one.
    pub last: u32,
}

/// A plan refuses to take memory back until it has refused this many bytes: what its trace lacks from then on would be
/// the machine's.
const MOST_LEFT_BYTES: u64 = 64 << 20;

/// No [`Kind`].
const NOTHING: u8 = 0;

/// The plan, and how many requests of its kind were made.
static KIND: AtomicU8 = AtomicU8::new(NOTHING);
static FIRST: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicU32 = AtomicU32::new(0);
static MADE: AtomicU32 = AtomicU32::new(0);
/// How many bytes were not taken back since the plan began, and before that in this process.
static LEFT_BYTES: AtomicU64 = AtomicU64::new(0);
static LEFT_BYTES_BEFORE: AtomicU64 = AtomicU64::new(0);
/// Whether one was refused since somebody asked last.
static HAS_REFUSED: AtomicBool = AtomicBool::new(false);

/// Where the handler returns to the kernel: 0 where there is no handler.
static RETURN_CODE: AtomicU64 = AtomicU64::new(0);
/// The code there is one load and one system call.
const RETURN_CODE_BYTES: u64 = 16;
/// The instruction of a system call.
const CALL_BYTES: i64 = 2;

// linux/prctl.h and asm-generic/siginfo.h: libc has none of them for this platform.
const PR_SET_SYSCALL_USER_DISPATCH: libc::c_int = 59;
const DISPATCH_OFF: libc::c_ulong = 0;
const DISPATCH_ON: libc::c_ulong = 1;
const SYS_USER_DISPATCH: libc::c_int = 2;
/// What the kernel reads before each system call of a thread that is on record.
const GOES_THROUGH: u8 = 0;
const IS_DISPATCHED: u8 = 1;

/// A thread's part of the record. The handler runs on the same thread.
struct Gate {
    selector: AtomicU8,
    is_known: AtomicBool,
}

thread_local! {
    // Without initialiser and destructor: fit for a signal handler.
    static GATE: Gate = const { Gate { selector: AtomicU8::new(GOES_THROUGH), is_known: AtomicBool::new(false) } };
}

/// The option that a sandbox must let through for this to be in force.
pub const PROCESS_OPTION: libc::c_int = PR_SET_SYSCALL_USER_DISPATCH;

/// The handler of SIGSYS, which is installed, answers what is dispatched to it: plans are in force from now on.
pub fn handler_is_there() {
    /// As the kernel has it (man 2 rt_sigaction).
    #[repr(C)]
    struct Action {
        handler: u64,
        flags: u64,
        return_code: u64,
        mask: u64,
    }
    let mut action = Action { handler: 0, flags: 0, return_code: 0, mask: 0 };
    let none = std::ptr::null::<Action>();
    // SAFETY: asks for the action and sets none; the kernel writes no more than the struct has.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, libc::SIGSYS, none, &raw mut action, size_of::<u64>()) };
    RETURN_CODE.store(action.return_code, Ordering::Relaxed);
}

/// Whether this kernel hands system calls over at all.
#[must_use]
pub fn is_supported() -> bool {
    // SAFETY: switches off what is not on (man 2 prctl).
    unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_OFF, 0, 0, 0) == 0 }
}

/// From now on requests within calls are counted, and refused by this plan. A process has one plan; the last one
/// counts.
pub fn begin(plan: Plan) {
    FIRST.store(plan.first, Ordering::Relaxed);
    LAST.store(plan.last, Ordering::Relaxed);
    MADE.store(0, Ordering::Relaxed);
    LEFT_BYTES_BEFORE.fetch_add(LEFT_BYTES.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    HAS_REFUSED.store(false, Ordering::Relaxed);
    KIND.store(plan.kind as u8, Ordering::Relaxed);
}

/// Nothing is refused from now on.
pub fn end() {
    KIND.store(NOTHING, Ordering::Relaxed);
}

/// How many bytes this process was asked to give back in vain. An allocator may have lost them for ever.
#[must_use]
pub fn left_bytes() -> u64 {
    LEFT_BYTES_BEFORE.load(Ordering::Relaxed).saturating_add(LEFT_BYTES.load(Ordering::Relaxed))
}

/// Whether something was refused since this was asked last.
#[must_use]
pub fn take_refusal() -> bool {
    HAS_REFUSED.load(Ordering::Relaxed) && HAS_REFUSED.swap(false, Ordering::Relaxed)
}

/// Makes a call whose requests to the system the plan is about.
#[inline]
pub fn within<R>(call: impl FnOnce() -> R) -> R {
    if RETURN_CODE.load(Ordering::Relaxed) == 0 {
        return call();
    }
    make_known();
    /// A call that unwinds is left, too.
    struct Within;
    impl Drop for Within {
        #[inline]
        fn drop(&mut self) {
            leave();
        }
    }
    let _within = Within;
    enter();
    call()
}

/// Tells the kernel of this thread, once. Where it does not know such a thing, nothing is ever refused.
#[inline]
fn make_known() {
    GATE.with(|gate| {
        if !gate.is_known.load(Ordering::Relaxed) {
            gate.is_known.store(true, Ordering::Relaxed);
            let code = RETURN_CODE.load(Ordering::Relaxed);
            let selector = gate.selector.as_ptr();
            // SAFETY: the selector lives as long as its thread; the code goes through always, so that the handler can
            // return.
            unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, code, RETURN_CODE_BYTES, selector) };
        }
    });
}

#[inline]
fn enter() {
    GATE.with(|gate| gate.selector.store(IS_DISPATCHED, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

/// System calls of this thread go through again. For whoever interrupts a call and does not come back to it.
#[inline]
pub fn leave() {
    compiler_fence(Ordering::SeqCst);
    GATE.with(|gate| gate.selector.store(GOES_THROUGH, Ordering::Relaxed));
}

/// Whether a signal is a system call that was dispatched: then [`answer`] has it.
#[must_use]
pub fn is_dispatched(signal: libc::c_int, code: libc::c_int) -> bool {
    signal == libc::SIGSYS && code == SYS_USER_DISPATCH
}

/// Answers the system call that was dispatched, in the handler of its signal.
pub fn answer(context: &mut libc::ucontext_t) {
    use libc::{REG_R8, REG_R9, REG_R10, REG_RAX, REG_RDI, REG_RDX, REG_RIP, REG_RSI};
    leave();
    let registers = &mut context.uc_mcontext.gregs;
    let call = registers[REG_RAX as usize];
    if is_of_this_thread(call) {
        // It is made again when the handler has returned, and goes through, as does what follows in this call.
        registers[REG_RIP as usize] -= CALL_BYTES;
        return;
    }
    let places = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9];
    let arguments = places.map(|place| registers[place as usize]);
    registers[REG_RAX as usize] = if is_refused(call, arguments) { refusal(call) } else { repeat(call, arguments) };
    enter();
}

/// Whether a call sets what the return of a handler sets back, or returns twice.
const fn is_of_this_thread(call: i64) -> bool {
    matches!(
        call,
        libc::SYS_rt_sigprocmask
            | libc::SYS_rt_sigreturn
            | libc::SYS_sigaltstack
            | libc::SYS_clone
            | libc::SYS_clone3
            | libc::SYS_fork
            | libc::SYS_vfork
    )
}

/// What a system call asks for. A question for the break asks for nothing.
const fn kind_of(call: i64, arguments: [i64; 6]) -> Option<Kind> {
    const NO_FILE: i64 = libc::MAP_ANONYMOUS as i64;
    match call {
        libc::SYS_mmap if arguments[3] & NO_FILE != 0 => Some(Kind::Map),
        libc::SYS_brk if arguments[0] != 0 => Some(Kind::Map),
        libc::SYS_mremap => Some(Kind::Map),
        libc::SYS_munmap => Some(Kind::Unmap),
        libc::SYS_madvise | libc::SYS_mprotect => Some(Kind::Advise),
        _ => None,
    }
}

/// Counts a request, and says whether the plan refuses it.
fn is_refused(call: i64, arguments: [i64; 6]) -> bool {
    let Some(kind) = kind_of(call, arguments).filter(|kind| *kind as u8 == KIND.load(Ordering::Relaxed)) else {
        return false;
    };
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let is_planned = FIRST.load(Ordering::Relaxed) <= number && number <= LAST.load(Ordering::Relaxed);
    if !is_planned || MOST_LEFT_BYTES <= LEFT_BYTES.load(Ordering::Relaxed) {
        return false;
    }
    if kind == Kind::Unmap {
        LEFT_BYTES.fetch_add(arguments[1].cast_unsigned(), Ordering::Relaxed);
    }
    HAS_REFUSED.store(true, Ordering::Relaxed);
    true
}

/// How the kernel refuses: `brk` answers with the break as it is.
fn refusal(call: i64) -> i64 {
    if call == libc::SYS_brk { repeat(call, [0; 6]) } else { i64::from(-libc::ENOMEM) }
}

/// Makes a system call as it was asked for. `errno` is left alone: the caller sets it by the answer.
fn repeat(call: i64, arguments: [i64; 6]) -> i64 {
    let [first, second, third, fourth, fifth, sixth] = arguments;
    let answer;
    // SAFETY: the subject makes this call with these arguments; it is answered as if nobody had been asked in between.
    unsafe {
        asm!("syscall", inlateout("rax") call => answer, in("rdi") first, in("rsi") second, in("rdx") third,
            in("r10") fourth, in("r8") fifth, in("r9") sixth, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    const PAGE_BYTES: usize = 4096;

    extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the kernel passes a valid siginfo (man 2 sigaction).
        let info = unsafe { &*info };
        assert!(is_dispatched(signal, info.si_code));
        // SAFETY: the kernel passes the interrupted context, and takes it back.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        answer(context);
    }

    /// A process has one plan: one test has it at a time.
    fn with_plan(kind: Kind, first: u32, last: u32) -> MutexGuard<'static, ()> {
        static ONE: Mutex<()> = Mutex::new(());
        let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: all zeros are an action without flags.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        // SAFETY: the handler does what is written beside it.
        assert_eq!(unsafe { libc::sigaction(libc::SIGSYS, &raw const action, null_mut()) }, 0);
        assert!(is_supported());
        handler_is_there();
        begin(Plan { kind, first, last });
        guard
    }

    fn map() -> bool {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping touches no memory in use.
        let mapping = within(|| unsafe { libc::mmap(null_mut(), PAGE_BYTES, access, flags, -1, 0) });
        if mapping == libc::MAP_FAILED {
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ENOMEM));
            return false;
        }
        // SAFETY: the mapping is new, and writable.
        unsafe { mapping.cast::<u8>().write(1) };
        // SAFETY: nobody uses it any more.
        assert_eq!(unsafe { libc::munmap(mapping, PAGE_BYTES) }, 0);
        true
    }

    #[test]
    fn requests_with_the_numbers_of_the_plan_are_refused_within_calls() {
        let _plan = with_plan(Kind::Map, 1, 2);
        assert_eq!([map(), map(), map(), map()], [true, false, false, true]);
        assert!(take_refusal() && !take_refusal());
        begin(Plan { kind: Kind::Map, first: 0, last: u32::MAX });
        assert!(!map());
        end();
        assert!(map());
        begin(Plan { kind: Kind::Unmap, first: 0, last: u32::MAX });
        assert!(map() && !take_refusal(), "another kind, and none within a call");
    }

    #[test]
    fn what_is_not_taken_back_is_counted_and_bounded() {
        const BYTES: usize = 48 << 20;
        let _plan = with_plan(Kind::Unmap, 0, u32::MAX);
        let before = left_bytes();
        // SAFETY: a new mapping touches no memory in use.
        let mapping = unsafe { libc::mmap(null_mut(), BYTES, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        assert!(mapping != libc::MAP_FAILED);
        // SAFETY: nobody uses the mapping.
        let unmap = || within(|| unsafe { libc::munmap(mapping, BYTES) }) == 0;
        assert_eq!([unmap(), unmap(), unmap()], [false, false, true]);
        assert_eq!(left_bytes() - before, 2 * BYTES as u64);
        begin(Plan { kind: Kind::Map, first: 0, last: 0 });
        assert_eq!(left_bytes() - before, 2 * BYTES as u64, "what one trace left is there in the next");
    }

    #[test]
    fn a_break_that_is_refused_stays() {
        let _plan = with_plan(Kind::Map, 0, u32::MAX);
        // SAFETY: asks for the break.
        let now = within(|| unsafe { libc::sbrk(0) });
        assert!(!take_refusal(), "a question is no request");
        // SAFETY: a break above this one takes nobody's memory; it is refused.
        let raised = within(|| unsafe { libc::syscall(libc::SYS_brk, now as usize + PAGE_BYTES) });
        assert_eq!(raised, now as i64);
        assert!(take_refusal());
    }

    #[test]
    fn what_a_handlers_return_would_undo_is_done_and_what_panics_is_left() {
        let _plan = with_plan(Kind::Map, 0, u32::MAX);
        // SAFETY: all zeros are a set of signals.
        let (mut signals, mut old): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
        // SAFETY: the set is this function's, and the signal exists.
        unsafe { libc::sigaddset(&raw mut signals, libc::SIGUSR1) };
        // SAFETY: blocks a signal that nobody sends.
        within(|| unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, null_mut()) });
        // SAFETY: asks for the mask, and sets it back.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, &raw mut old) };
        // SAFETY: the set was written above.
        assert_eq!(unsafe { libc::sigismember(&raw const old, libc::SIGUSR1) }, 1);
        assert!(std::panic::catch_unwind(|| within(|| std::panic::resume_unwind(Box::new(1)))).is_err());
        // SAFETY: a new mapping touches no memory in use.
        let mapping = unsafe { libc::mmap(null_mut(), PAGE_BYTES, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        assert!(mapping != libc::MAP_FAILED);
    }
}
