//! Runs the build script as the image does: on a copy of what git would see, with nothing of the caller's environment
//! but what finds the tools.

use super::Sanitizer;
use crate::room::Room;
use crate::toolchain::nightly;
use memtwin::drivers::command::{Run, Trouble};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// The project's name, which its folder below $SRC has.
const PROJECT: &str = "memtwin";
/// The build script, below the root.
const SCRIPT: &str = ".clusterfuzzlite/build.sh";

/// What remains of the caller's environment: where tools and certificates are.
const KEPT: [&str; 6] = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "SSL_CERT_FILE", "CARGO_BUILD_JOBS"];

/// What the script calls, with the package that brings it.
const TOOLS: [(&str, &str, &str); 4] = [
    ("bash", "--version", "apt-get install bash"),
    ("zip", "--version", "apt-get install zip"),
    ("sha1sum", "--version", "apt-get install coreutils"),
    ("objdump", "--version", "apt-get install binutils"),
];

/// The image's `cargo`: for coverage it replaces `cargo fuzz build` by a plain build, whose programs it copies to where
/// cargo-fuzz would have put them.
const COVERAGE_CARGO: &str = r#"#!/usr/bin/env bash
set -euo pipefail
if [ "${1:-} ${2:-}" != "fuzz build" ]; then
    exec "$REAL_CARGO" "$@"
fi
cd fuzz
"$REAL_CARGO" build --bins
cd "$CARGO_TARGET_DIR"
mkdir -p x86_64-unknown-linux-gnu/release
find debug -maxdepth 1 -type f -executable -exec cp {} x86_64-unknown-linux-gnu/release/ \;
"#;

/// Builds, and returns the folder that $OUT was. It has been moved: a program that remembers where it was built fails.
pub(super) fn build(room: &Room, sanitizer: Sanitizer) -> Result<PathBuf, Trouble> {
    let toolchain = nightly(room)?;
    for (tool, question, remedy) in TOOLS {
        if !Run::new(&room.root, tool, [question]).probe() {
            return Err(skipped(&format!("no {tool}"), remedy));
        }
    }
    if !Run::cargo(&room.root, ["fuzz", "--version"]).probe() {
        return Err(skipped("no cargo-fuzz", "cargo install cargo-fuzz --locked"));
    }

    let name = match sanitizer {
        Sanitizer::Address => "address",
        Sanitizer::Coverage => "coverage",
    };
    let scratch = room.target().join("oss-fuzz").join(name);
    let [source, out, work, moved] = ["src", "out", "work", "not-out"].map(|folder| scratch.join(folder));
    // $WORK stays: what was compiled for the last check need not be compiled again.
    for folder in [&source, &out, &moved] {
        remove(folder)?;
    }
    for folder in [&source, &out, &work] {
        fs::create_dir_all(folder)?;
    }
    copy_sources(room, &source.join(PROJECT))?;
    let script = source.join("build.sh");
    fs::copy(room.root.join(SCRIPT), &script)?;

    let mut run = Run::new(&source.join(PROJECT), "bash", ["-eux"]).with([&script]).with_only_environment(&KEPT);
    for (variable, folder) in [("SRC", &source), ("OUT", &out), ("WORK", &work)] {
        run = run.env(variable, &folder.display().to_string());
    }
    run = run
        .env("SANITIZER", name)
        .env("FUZZING_ENGINE", "libfuzzer")
        .env("FUZZING_LANGUAGE", "rust")
        .env("ARCHITECTURE", "x86_64")
        .env("RUSTUP_TOOLCHAIN", &toolchain)
        .env("RUSTFLAGS", flags(sanitizer));
    if Run::new(&room.root, "clang", ["--version"]).probe() {
        run = run.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "clang");
    }
    if sanitizer == Sanitizer::Coverage {
        run = with_coverage_cargo(run, room, &scratch, &toolchain)?;
    }
    run.pass()?;
    fs::rename(&out, &moved)?;
    Ok(moved)
}

/// RUSTFLAGS as the image sets them, but for `-lc++`, which goes with the libFuzzer of the image: here libfuzzer-sys
/// compiles its own. CFLAGS and CXXFLAGS would reach nothing but that, and must not instrument it.
fn flags(sanitizer: Sanitizer) -> &'static str {
    match sanitizer {
        Sanitizer::Address => "--cfg fuzzing -Zsanitizer=address -Cdebuginfo=1 -Cforce-frame-pointers",
        Sanitizer::Coverage => "--cfg fuzzing -Cdebuginfo=1 -Cforce-frame-pointers -Cinstrument-coverage",
    }
}

/// Puts the image's `cargo` before the real one.
fn with_coverage_cargo(run: Run, room: &Room, scratch: &Path, toolchain: &str) -> Result<Run, Trouble> {
    let real = Run::new(&room.root, "rustup", ["which", "--toolchain", toolchain, "cargo"]).keep()?.success()?;
    let folder = scratch.join("bin");
    fs::create_dir_all(&folder)?;
    let cargo = folder.join("cargo");
    fs::write(&cargo, COVERAGE_CARGO)?;
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH").unwrap_or_default();
    Ok(run.env("PATH", &format!("{}:{path}", folder.display())).env("REAL_CARGO", real.trim()))
}

/// Copies what git would see, links as links. Times are kept, so that cargo compiles only what changed.
fn copy_sources(room: &Room, into: &Path) -> Result<(), Trouble> {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Run::new(&room.root, "git", listing).keep()?;
    if listed.code != Some(0) {
        return Err(skipped("this is no git worktree", "run it in a clone"));
    }
    for name in listed.out.split_terminator('\0') {
        let (from, to) = (room.root.join(name), into.join(name));
        let Ok(found) = fs::symlink_metadata(&from) else { continue };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        if found.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else {
            fs::copy(&from, &to)?;
            fs::File::options().write(true).open(&to)?.set_modified(found.modified()?)?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn skipped(why: &str, remedy: &str) -> Trouble {
    Trouble::Skipped { why: why.to_owned(), remedy: remedy.to_owned() }
}
