//! `memtwin doctor`: what this machine has for fuzzing, and the command for each thing that is missing.

use super::screen::{BAD, DIM, GOOD};
use super::{Exit, Failed};
use clap::Args;
use std::io::Write as _;
use std::process::{Command, Stdio};

#[derive(Debug, Args)]
pub struct Doctor {}

/// One thing to look for.
struct Part {
    name: &'static str,
    probe: fn() -> Result<String, String>,
    serves: &'static str,
    remedy: &'static str,
}

const PARTS: &[Part] = &[
    Part {
        name: "stable Rust",
        probe: || first_line("rustc", &["--version"]),
        serves: "building, memtwin's own engines",
        remedy: "install rustup, then: rustup toolchain install stable",
    },
    Part {
        name: "nightly Rust",
        probe: || first_line("rustc", &["+nightly", "--version"]),
        serves: "cargo fuzz with AddressSanitizer, Miri",
        remedy: "rustup toolchain install nightly",
    },
    Part {
        name: "Miri",
        probe: || first_line("cargo", &["+nightly", "miri", "--version"]),
        serves: "checking the models and the wire code",
        remedy: "rustup component add miri rust-src --toolchain nightly",
    },
    Part {
        name: "cargo-fuzz",
        probe: || first_line("cargo", &["fuzz", "--version"]),
        serves: "cargo fuzz run",
        remedy: "cargo install cargo-fuzz --locked",
    },
    Part {
        name: "AFL++",
        probe: || first_line("cargo", &["afl", "--version"]),
        serves: "the AFL++ engine",
        remedy: "cargo install cargo-afl --locked && cargo afl config --build",
    },
    Part {
        name: "cargo-deny",
        probe: || first_line("cargo", &["deny", "--version"]),
        serves: "checking licences and advisories of dependencies",
        remedy: "cargo install cargo-deny --locked",
    },
    Part {
        name: "same addresses in each run",
        probe: || {
            let current = nix::sys::personality::get();
            current.map(|_| "personality may be set".to_owned()).map_err(|_| "forbidden here".to_owned())
        },
        serves: "fault addresses that repeat",
        remedy: "allow the personality system call in the container's seccomp profile",
    },
    Part {
        name: "Landlock",
        probe: || {
            let version = crate::isolate::landlock_version();
            version.map(|version| format!("version {version}")).ok_or_else(|| "not in this kernel".to_owned())
        },
        serves: "keeping workers from reading the user's files",
        remedy: "use a kernel with CONFIG_SECURITY_LANDLOCK, 5.13 or later; without it all else of the sandbox holds",
    },
    Part {
        name: "refused memory",
        probe: || {
            let is_supported = memtwin_wild::requests::is_supported();
            is_supported.then(|| "Syscall User Dispatch".to_owned()).ok_or_else(|| "not in this kernel".to_owned())
        },
        serves: "setups in which the system refuses an allocator memory",
        remedy: "use a kernel with Syscall User Dispatch, 5.11 or later; without it nothing is refused",
    },
    Part {
        name: "KVM",
        probe: || {
            let opened = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
            opened.map(|_| "/dev/kvm opens".to_owned()).map_err(|error| error.to_string())
        },
        serves: "hardware as a witness for page-table models",
        remedy: "run on a machine with virtualisation, and join the group kvm",
    },
];

impl Doctor {
    #[allow(clippy::unused_self)] // verbs have one form
    pub(super) fn run(&self) -> Result<Exit, Failed> {
        let mut out = anstream::stdout();
        for part in PARTS {
            match (part.probe)() {
                Ok(found) => {
                    writeln!(out, "{GOOD}✓{GOOD:#} {:<27} {found} {DIM}for {}{DIM:#}", part.name, part.serves)?;
                }
                Err(problem) => {
                    writeln!(out, "{BAD}✗{BAD:#} {:<27} {problem} {DIM}for {}{DIM:#}", part.name, part.serves)?;
                    writeln!(out, "    {}", part.remedy)?;
                }
            }
        }
        Ok(Exit::Clean)
    }
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.map_err(|_| "not found".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next() {
        Some(line) if output.status.success() => Ok(line.trim().to_owned()),
        _ => Err("not found".to_owned()),
    }
}
