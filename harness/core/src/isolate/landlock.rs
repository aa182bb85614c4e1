//! Landlock, where the kernel has it: a zygote and its workers may read what programs need to run, and nothing of the
//! user's: no home, no other process's memory. It comes on top of the sandbox of system calls, which lets files be
//! read. The names are those of linux/landlock.h, the interface is that of man 7 landlock: three system calls, made
//! here as they stand.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where programs, libraries and their data lie, and what the kernel tells.
const READABLE: [&str; 7] = ["/usr", "/lib", "/lib64", "/lib32", "/etc", "/proc", "/sys"];

/// The rights to a file system (`LANDLOCK_ACCESS_FS_`): each version of the interface has those below its bit. Version
/// 1 has all from EXECUTE to MAKE_SYM, 2 adds REFER, 3 TRUNCATE, 5 IOCTL_DEV.
const RIGHTS_TO_FILES: [(u32, u64); 4] = [(1, 1 << 13), (2, 1 << 14), (3, 1 << 15), (5, 1 << 16)];
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// BIND_TCP and CONNECT_TCP (`LANDLOCK_ACCESS_NET_`), from version 4 on.
const RIGHTS_TO_NETWORK: (u32, u64) = (4, 0b11);
/// ABSTRACT_UNIX_SOCKET and SIGNAL (`LANDLOCK_SCOPE_`), from version 6 on: only within what is closed in.
const SCOPES: (u32, u64) = (6, 0b11);
const CREATE_RULESET_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;

/// `struct landlock_ruleset_attr`. A kernel that knows a beginning of it takes it whole if the rest is zero.
#[repr(C)]
struct Ruleset {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// Closes it round this process and those that it will start, for the rest of their lives. A kernel without it refuses
/// nothing.
pub(super) fn enter() {
    // AddressSanitizer starts a program that names its frames.
    if let Some(version) = landlock_version().filter(|_| !super::has_address_sanitizer()) {
        let _ = restrict(version);
    }
}

/// The version of Landlock that this kernel has.
#[must_use]
pub fn landlock_version() -> Option<u32> {
    // SAFETY: asks for the version, with no ruleset.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0_usize, CREATE_RULESET_VERSION)
    };
    u32::try_from(version).ok().filter(|version| *version != 0)
}

fn restrict(version: u32) -> io::Result<()> {
    let since = |(first, rights): (u32, u64)| if first <= version { rights } else { 0 };
    let ruleset = Ruleset {
        handled_access_fs: RIGHTS_TO_FILES.into_iter().map(since).max().unwrap_or(0).saturating_sub(1),
        handled_access_net: since(RIGHTS_TO_NETWORK),
        scoped: since(SCOPES),
    };
    // SAFETY: reads the ruleset, which lives as long as the call.
    let made =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size_of::<Ruleset>(), 0_u32) };
    let made = i32::try_from(done(made)?).map_err(io::Error::other)?;
    // SAFETY: a descriptor that was made for us, and that nobody else has.
    let rules = unsafe { OwnedFd::from_raw_fd(made) };
    // The program and what lies beside it: whoever names frames reads it.
    let program = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    for path in READABLE.iter().map(PathBuf::from).chain(program).chain(crate::library::paths()) {
        // What is not there needs no leave.
        let Ok(there) = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path) else { continue };
        let Ok(is_folder) = there.metadata().map(|there| there.is_dir()) else { continue };
        let allowed_access = if is_folder { READ_FILE | READ_DIR } else { READ_FILE };
        let rule = PathBeneath { allowed_access, parent_fd: there.as_raw_fd() };
        // A rule that is refused leaves its place closed.
        // SAFETY: reads the rule, which lives as long as the call.
        let _ = unsafe {
            libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), RULE_PATH_BENEATH, &raw const rule, 0_u32)
        };
    }
    // Without a promise to gain no privileges the kernel takes no rules.
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: narrows what this process may do.
    done(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0_u32) })?;
    Ok(())
}

fn done(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
