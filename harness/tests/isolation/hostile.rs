//! Code that somebody else wrote, run in a worker: it makes system calls of its own choice. Each is refused and found.

use crate::rogues::{Misdeed, Rogue};
use crate::{COMPANION, READ, WRITE, part, registry, replay_one, wire};
use libtest_mimic::Failed;
use memtwin::campaign::{self, Budget, Plan};
use memtwin::explain::{Telling, tell_trace};
use memtwin::finding::{Ending, Step};
use memtwin::isolate::{Isolation, IsolationError, Surveyed};
use memtwin::lockstep::Audits;
use memtwin::models::guest_memory::{GuestAddress, Op, OpKind, Owner};
use memtwin::run_file::Verdict;
use memtwin::trace::Header;
use memtwin::{Target, models::Row, models::guest_memory::GuestMemory};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A process that is not the worker: its zygote. Set at the start of `main`, before any fork.
static VICTIM: AtomicU32 = AtomicU32::new(0);

/// What a worker must not be able to read where the kernel has Landlock.
const SECRET: &str = "/tmp/memtwin-a-worker-must-not-read-this";

pub(super) const HOSTILE: &dyn Target = &Row::<GuestMemory>::of::<Rogue<Hostile>>();
pub(super) const SCRIBBLER: &dyn Target = &Row::<GuestMemory>::of::<Rogue<Scribbler>>();
pub(super) const CURIOUS: &dyn Target = &Row::<GuestMemory>::of::<Rogue<Curious>>();

pub(super) fn note_victim() {
    VICTIM.store(std::process::id(), Ordering::Relaxed);
}

/// Makes the call whose number in the list is the address that it is asked to read.
pub(super) struct Hostile;

impl Misdeed for Hostile {
    const NAME: &'static str = "hostile";
    fn before(op: &Op, _index: u32) {
        if let Op::Read { address, .. } = op
            && let Some((_, call)) = usize::try_from(address.0).ok().and_then(|number| CALLS.get(number))
        {
            // SAFETY: deliberately none: the sandbox must refuse the call before it does anything.
            unsafe { call(i64::from(VICTIM.load(Ordering::Relaxed)), i64::from(std::process::id())) };
        }
    }
}

/// Looks for what is the user's.
pub(super) struct Curious;

impl Misdeed for Curious {
    const NAME: &'static str = "curious";
    fn before(op: &Op, _index: u32) {
        if op.kind() == OpKind::Read {
            assert!(std::fs::read(SECRET).is_err(), "a worker read a file of the user's");
            let victim = VICTIM.load(Ordering::Relaxed);
            assert!(std::fs::read(format!("/proc/{victim}/status")).is_ok(), "what the kernel tells is hidden");
            assert_eq!(clone3(), -1, "clone3 is known");
        }
    }
}

/// Writes over what it shares with its supervisor. The address that it is asked to read says with what, and what it
/// does then.
pub(super) struct Scribbler;

impl Misdeed for Scribbler {
    const NAME: &'static str = "scribbler";
    fn before(op: &Op, _index: u32) {
        let Op::Read { address, .. } = op else { return };
        scribble(address.0);
        if address.0 % 2 == 1 {
            std::process::exit(0);
        }
    }
}

/// The beginning of the shared memory holds all that is no bulk.
const SCRIBBLED_BYTES: usize = 64 << 10;

fn scribble(seed: u64) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let Some(line) = maps.lines().find(|line| line.contains("memtwin-shared")) else { return };
    let Some(Ok(start)) = line.split('-').next().map(|start| usize::from_str_radix(start, 16)) else { return };
    let mut state = seed;
    for offset in (0..SCRIBBLED_BYTES).step_by(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = match seed % 8 {
            0 | 1 => u64::MAX,
            // Most is right, and something is not.
            2..=5 if state >> 60 != 0 => continue,
            6 => 0,
            _ => state,
        };
        // SAFETY: deliberately none but that the address is mapped: the supervisor must bear whatever stands there.
        unsafe { ((start + offset) as *mut u64).write_volatile(value) };
    }
}

fn clone3() -> i64 {
    // SAFETY: without a structure of arguments the call fails, wherever it is known.
    unsafe { libc::syscall(libc::SYS_clone3, 0, 0) }
}

type Call = unsafe fn(victim: i64, own: i64) -> i64;

macro_rules! calls {
    ($($name:literal => ($number:expr $(, $argument:expr)*) with ($victim:ident, $own:ident);)+) => {
        &[$(($name, {
            #[allow(unused_variables)] // most calls need no process
            unsafe fn call($victim: i64, $own: i64) -> i64 {
                // SAFETY: the caller's.
                unsafe { libc::syscall($number $(, $argument)*) }
            }
            call
        })),+]
    };
}

const FILE: *const libc::c_char = c"/tmp/memtwin-a-worker-must-not-create-this".as_ptr();
const HERE: i64 = libc::AT_FDCWD as i64;
static LIMIT: libc::rlimit64 = libc::rlimit64 { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
const CHILD: i64 = libc::SIGCHLD as i64;

/// Every way out that somebody tried. Signals are 0 and limits high: should one be let through, the machine takes no
/// harm.
const CALLS: &[(&str, Call)] = calls! {
    "fork" => (libc::SYS_fork) with (victim, own);
    "vfork by clone" => (libc::SYS_clone, i64::from(libc::CLONE_VM | libc::CLONE_VFORK) | CHILD, 0, 0, 0, 0) with (victim, own);
    "a process by clone" => (libc::SYS_clone, CHILD, 0, 0, 0, 0) with (victim, own);
    "a process with this memory" => (libc::SYS_clone, i64::from(libc::CLONE_VM | libc::CLONE_SIGHAND) | CHILD, 0, 0, 0, 0) with (victim, own);
    "a user namespace" => (libc::SYS_clone, i64::from(libc::CLONE_NEWUSER) | CHILD, 0, 0, 0, 0) with (victim, own);
    "unshare" => (libc::SYS_unshare, libc::CLONE_NEWUSER) with (victim, own);
    "execve" => (libc::SYS_execve, FILE, 0, 0) with (victim, own);
    "kill" => (libc::SYS_kill, victim, 0) with (victim, own);
    "kill itself" => (libc::SYS_kill, own, 0) with (victim, own);
    "tkill" => (libc::SYS_tkill, victim, 0) with (victim, own);
    "tgkill of another" => (libc::SYS_tgkill, victim, victim, libc::SIGABRT) with (victim, own);
    "tgkill with SIGKILL" => (libc::SYS_tgkill, own, own, libc::SIGKILL) with (victim, own);
    "tgkill with SIGSTOP" => (libc::SYS_tgkill, own, own, libc::SIGSTOP) with (victim, own);
    "rt_sigqueueinfo" => (libc::SYS_rt_sigqueueinfo, victim, 0, 0) with (victim, own);
    "rt_tgsigqueueinfo" => (libc::SYS_rt_tgsigqueueinfo, victim, victim, 0, 0) with (victim, own);
    "pidfd_open" => (libc::SYS_pidfd_open, victim, 0) with (victim, own);
    "pidfd_send_signal" => (libc::SYS_pidfd_send_signal, 0, 0, 0, 0) with (victim, own);
    "ptrace" => (libc::SYS_ptrace, 16, victim, 0, 0) with (victim, own);
    "process_vm_readv" => (libc::SYS_process_vm_readv, victim, 0, 0, 0, 0, 0) with (victim, own);
    "process_vm_writev" => (libc::SYS_process_vm_writev, victim, 0, 0, 0, 0, 0) with (victim, own);
    "a limit of another" => (libc::SYS_prlimit64, victim, libc::RLIMIT_NOFILE, 0, &raw const LIMIT) with (victim, own);
    "a new limit of another" => (libc::SYS_prlimit64, victim, libc::RLIMIT_NOFILE, &raw const LIMIT, 0) with (victim, own);
    "a new limit" => (libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, &raw const LIMIT, 0) with (victim, own);
    "setrlimit" => (libc::SYS_setrlimit, libc::RLIMIT_NOFILE, &raw const LIMIT) with (victim, own);
    "outliving its zygote" => (libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0) with (victim, own);
    "adopting orphans" => (libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) with (victim, own);
    "any tracer" => (libc::SYS_prctl, libc::PR_SET_PTRACER, -1_i64, 0, 0, 0) with (victim, own);
    "not dumpable" => (libc::SYS_prctl, libc::PR_SET_DUMPABLE, 0, 0, 0, 0) with (victim, own);
    "setpgid" => (libc::SYS_setpgid, 0, 0) with (victim, own);
    "setsid" => (libc::SYS_setsid) with (victim, own);
    "setpriority" => (libc::SYS_setpriority, 0, victim, 0) with (victim, own);
    "sched_setaffinity" => (libc::SYS_sched_setaffinity, victim, 0, 0) with (victim, own);
    "ioprio_set" => (libc::SYS_ioprio_set, 1, victim, 0) with (victim, own);
    "a socket" => (libc::SYS_socket, libc::AF_INET, libc::SOCK_DGRAM, 0) with (victim, own);
    "socketpair" => (libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, 0) with (victim, own);
    "a file to write" => (libc::SYS_openat, HERE, FILE, libc::O_WRONLY, 0) with (victim, own);
    "a new file" => (libc::SYS_openat, HERE, FILE, libc::O_RDONLY | libc::O_CREAT, 0o600) with (victim, own);
    "an emptied file" => (libc::SYS_openat, HERE, FILE, libc::O_RDONLY | libc::O_TRUNC, 0) with (victim, own);
    "open" => (libc::SYS_open, FILE, libc::O_WRONLY | libc::O_CREAT, 0o600) with (victim, own);
    "creat" => (libc::SYS_creat, FILE, 0o600) with (victim, own);
    "openat2" => (libc::SYS_openat2, HERE, FILE, 0, 0) with (victim, own);
    "memfd_create" => (libc::SYS_memfd_create, FILE, 0) with (victim, own);
    "unlink" => (libc::SYS_unlink, FILE) with (victim, own);
    "rename" => (libc::SYS_rename, FILE, FILE) with (victim, own);
    "ioctl" => (libc::SYS_ioctl, 1, 0x5413, 0) with (victim, own);
    "mount" => (libc::SYS_mount, 0, 0, 0, 0, 0) with (victim, own);
    "io_uring_setup" => (libc::SYS_io_uring_setup, 8, 0) with (victim, own);
    "userfaultfd" => (libc::SYS_userfaultfd, 0) with (victim, own);
    "bpf" => (libc::SYS_bpf, 0, 0, 0) with (victim, own);
    "perf_event_open" => (libc::SYS_perf_event_open, 0, 0, 0, 0, 0) with (victim, own);
    "alarm" => (libc::SYS_alarm, 0) with (victim, own);
    "setitimer" => (libc::SYS_setitimer, 0, 0, 0) with (victim, own);
    "shmget" => (libc::SYS_shmget, 0, 4096, 0) with (victim, own);
    "chroot" => (libc::SYS_chroot, FILE) with (victim, own);
    "personality" => (libc::SYS_personality, 0xffff_ffff_i64) with (victim, own);
    "getpid of x32" => (0x4000_0000 | libc::SYS_getpid) with (victim, own);
};

pub(super) fn every_call_is_refused() -> Result<(), Failed> {
    let index = registry().index_of("guest_memory", "hostile").ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    for (number, (name, _)) in (0..).zip(CALLS) {
        let read = Op::Read { owner: Owner::new_folded(0), address: GuestAddress(number), size: 1 };
        let ending = isolation.replay(index, &wire(&[read]), Audits::Full)?;
        let Some(Ending::Failed(failure)) = ending else { return Err(format!("{name}: {ending:?}").into()) };
        assert_eq!((failure.step, failure.cause.name()), (Step::Op(0), "forbidden_call"), "{name}");
    }
    assert!(!std::path::Path::new(crate::rogues::FORBIDDEN_FILE).exists());
    Ok(())
}

/// Whatever stands in the shared memory, the supervisor comes to an end of its own, and goes on with other subjects.
pub(super) fn scribbles_are_borne() -> Result<(), Failed> {
    let registry = registry();
    let index = registry.index_of("guest_memory", "scribbler").ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    for seed in 0..64 {
        let read = Op::Read { owner: Owner::new_folded(0), address: GuestAddress(seed), size: 1 };
        let wire = wire(&[WRITE, read, WRITE]);
        let dialect = SCRIBBLER.dialect();
        if let Some(Ending::Failed(failure)) = judged(isolation.replay(index, &wire, Audits::Full))?.flatten() {
            let stem = dialect.signature(&wire, &failure).file_stem();
            assert!(stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{stem:?}");
        }
        let Surveyed::All(seen) = isolation.survey(index, &[&wire, &wire])? else { return Err("interrupted".into()) };
        assert_eq!(seen.len(), 2);
        let telling = Telling { dialect, wire: &wire, header: &Header::plain(), name: "scribbled" };
        judged(tell_trace(&mut isolation, &registry, index, &telling))?;
    }
    for seed in 1..4 {
        let folder = tempfile::tempdir()?;
        let companion = registry.index_of("guest_memory", COMPANION.subject()).ok_or("not in the registry")?;
        let plan = Plan::new(vec![index, companion], seed, Budget::Ops(20_000), folder.path());
        let run = campaign::run(&registry, &plan, &Arc::new(AtomicBool::new(false)), &|_| {})?;
        let companion = part(&run, COMPANION)?;
        assert_eq!((companion.verdict, companion.findings.len()), (Verdict::Agreed, 0));
    }
    Ok(())
}

/// A subject that writes over the journal may get its trace not judged.
fn judged<T>(ended: Result<T, IsolationError>) -> Result<Option<T>, Failed> {
    match ended {
        Ok(ended) => Ok(Some(ended)),
        Err(IsolationError::NotJudged { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn files_of_the_user_are_not_read() -> Result<(), Failed> {
    std::fs::write(SECRET, "secret")?;
    let ending = replay_one("curious", READ);
    std::fs::remove_file(SECRET)?;
    assert_eq!(ending?, Some(Ending::Agreed));
    Ok(())
}
