//! Landlock, where the kernel has it: a zygote and its workers may read what programs need to run, and nothing of the user's:
//! no home, no other process's memory. It comes on top of the sandbox of system calls, which lets files be read.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};
use std::path::{Path, PathBuf};

/// The newest interface whose rights are refused. An older kernel refuses those that it knows.
const NEWEST: ABI = ABI::V6;

/// Where programs, libraries and their data lie, and what the kernel tells.
const READABLE: [&str; 7] = ["/usr", "/lib", "/lib64", "/lib32", "/etc", "/proc", "/sys"];

/// Closes it round this process and those that it will start, for the rest of their lives. A kernel without it refuses nothing.
pub(super) fn enter() {
    // AddressSanitizer starts a program that names its frames.
    if !super::has_address_sanitizer() {
        let _ = restrict();
    }
}

/// The version of Landlock that this kernel has.
#[must_use]
pub fn landlock_version() -> Option<u32> {
    // SAFETY: asks for the version, with no ruleset (man 2 landlock_create_ruleset).
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<()>(), 0, 1) };
    u32::try_from(version).ok().filter(|version| *version != 0)
}

fn restrict() -> Result<(), RulesetError> {
    let read = AccessFs::from_read(NEWEST) & !AccessFs::Execute;
    // The program and what lies beside it: whoever names frames reads it.
    let program = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let readable = READABLE.iter().map(PathBuf::from).chain(program).chain(crate::library::paths());
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?;
    ruleset.create()?.add_rules(path_beneath_rules(readable, read))?.restrict_self()?;
    Ok(())
}
