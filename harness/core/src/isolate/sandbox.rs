//! The sandbox of workers: subjects write through wild pointers by design, so a worker may compute and manage memory
//! and its own signals and threads, read files, and nothing else. Any other system call is a finding. docs/security.md
//! says what is let through and why. Which files may be read is for `landlock` to say.

use super::fault;
use nix::sys::signal::Signal;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

const ALLOWED: &[libc::c_long] = &[
    // memory
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // signals and the end
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // threads of a subject
    libc::SYS_clone3, // answered by another filter
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    // time, randomness, limits
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    // standard output and error, which are a bounded pipe; the other descriptors are closed
    libc::SYS_write,
    libc::SYS_writev,
    // reading files: the unwinder and allocators look at /proc
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_lseek,
    libc::SYS_readlink,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    // which processor and node this is: allocators that keep memory apart for each
    libc::SYS_getcpu,
];

/// What a thread shares with its process. A clone without them would be a process of its own, which nobody watches.
const THREAD: libc::c_int = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
/// What a new thread never has: namespaces of its own, a tracer, another parent, a signal at its end (the lowest byte).
const NO_THREAD: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_IO
    | libc::CLONE_PTRACE
    | libc::CLONE_VFORK
    | libc::CLONE_PARENT
    | libc::CLONE_PIDFD
    | 0xff;

/// Names of threads and of memory, huge pages of this process (linux/prctl.h), and that a thread's system calls come to
/// the fault handler.
const PROCESS_OPTIONS: [libc::c_int; 6] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_THP_DISABLE,
    libc::PR_GET_THP_DISABLE,
    libc::PR_SET_VMA,
    memtwin_wild::requests::PROCESS_OPTION,
];

/// Closes the sandbox round this process for the rest of its life; whether that worked.
pub(super) fn enter() -> bool {
    let apply = |filter: Result<BpfProgram, BackendError>| filter.is_ok_and(|filter| apply_filter(&filter).is_ok());
    apply(without_clone3()) && apply(allowed())
}

/// What is allowed; any other call is a trap.
fn allowed() -> Result<BpfProgram, BackendError> {
    let own = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    let signal = |signal: &Signal| rule(&[(0, EQUAL, own), (2, EQUAL, *signal as u64)]);
    rules.insert(libc::SYS_tgkill, fault::HANDLED.iter().map(signal).collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_clone, vec![rule(&[(0, masked(THREAD | NO_THREAD), bits(THREAD))])?]);
    let option = |option: &libc::c_int| rule(&[(0, EQUAL, bits(*option))]);
    rules.insert(libc::SYS_prctl, PROCESS_OPTIONS.iter().map(option).collect::<Result<_, _>>()?);
    // Limits of this process are read, never set: argument 2 is the new limit.
    let read_limit = |process| SeccompRule::new(vec![condition(0, EQUAL, process)?, null(2)?]);
    rules.insert(libc::SYS_prlimit64, vec![read_limit(0)?, read_limit(own)?]);
    let read_only = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
    rules.insert(libc::SYS_open, vec![rule(&[(1, masked(read_only), bits(libc::O_RDONLY))])?]);
    rules.insert(libc::SYS_openat, vec![rule(&[(2, masked(read_only), bits(libc::O_RDONLY))])?]);
    SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, TargetArch::x86_64)?.try_into()
}

/// A filter cannot see the flags of clone3, which lie in memory. Where it is unknown, libraries use clone (man 2
/// clone3).
fn without_clone3() -> Result<BpfProgram, BackendError> {
    let rules = [(libc::SYS_clone3, Vec::new())].into();
    let unknown = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, unknown, TargetArch::x86_64)?.try_into()
}

const EQUAL: SeccompCmpOp = SeccompCmpOp::Eq;

fn bits(flags: libc::c_int) -> u64 {
    u64::from(flags.cast_unsigned())
}

fn masked(flags: libc::c_int) -> SeccompCmpOp {
    SeccompCmpOp::MaskedEq(bits(flags))
}

/// The kernel looks at the lower half of an argument that is an `int`.
fn condition(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)
}

fn null(argument: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, EQUAL, 0)
}

/// All of these conditions.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, BackendError> {
    let conditions = conditions.iter().map(|(argument, compare, value)| condition(*argument, compare.clone(), *value));
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}
