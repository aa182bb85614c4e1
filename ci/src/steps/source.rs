//! Steps on the source: form, lints, documentation, dependencies, tests. None of them runs a campaign.

use crate::room::Room;
use crate::toolchain::nightly;
use memtwin::drivers::command::{Run, Trouble};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

/// Manifests outside the workspace.
const OUTSIDE: [&str; 6] = [
    "fuzz/Cargo.toml",
    "fuzz/afl/Cargo.toml",
    "docs/own-component/Cargo.toml",
    "docs/own-heap/Cargo.toml",
    "docs/own-subject/Cargo.toml",
    "harness/third-party/Cargo.toml",
];

pub(super) fn format(room: &Room) -> Result<(), Trouble> {
    let component = Run::cargo(&room.root, ["fmt", "--version"]);
    if !component.probe() {
        return Err(skipped("no rustfmt", "rustup component add rustfmt"));
    }
    Run::cargo(&room.root, ["fmt", "--all", "--check"]).pass()?;
    OUTSIDE
        .iter()
        .try_for_each(|manifest| Run::cargo(&room.root, ["fmt", "--check", "--manifest-path", manifest]).pass())
}

pub(super) fn clippy(room: &Room) -> Result<(), Trouble> {
    if !Run::cargo(&room.root, ["clippy", "--version"]).probe() {
        return Err(skipped("no clippy", "rustup component add clippy"));
    }
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    Run::cargo(&room.root, arguments).pass()
}

/// The most packages that a crate of a user's is built of, its own not counted.
const MOST_PACKAGES: usize = 50;

/// Each component alone, and none at all: what a crate that tests its own subject takes of memtwin.
pub(super) fn components(room: &Room) -> Result<(), Trouble> {
    let registry = memtwin::built_in();
    for feature in registry.dialects().map(memtwin::target::Dialect::name).chain(["", "proptest"]) {
        let check = ["check", "--package", "memtwin", "--locked", "--no-default-features", "--features", feature];
        let printed = Run::cargo(&room.root, check).keep()?;
        if printed.code != Some(0) || printed.err.contains("warning:") {
            let first = printed.err.lines().find(|line| line.starts_with("warning") || line.starts_with("error"));
            let first = first.unwrap_or("cargo check failed");
            return Err(Trouble::Failed(format!("with the feature {feature:?} alone: {first}\n{}", printed.err)));
        }
    }
    let examples = ["docs/own-component", "docs/own-heap", "docs/own-subject"];
    examples.iter().try_for_each(|example| few_packages(&room.root.join(example)))
}

/// A crate of a user's is built of few packages.
pub(super) fn few_packages(folder: &Path) -> Result<(), Trouble> {
    let tree = ["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"];
    let text = Run::cargo(folder, tree).keep()?.success()?;
    let packages = text.lines().skip(1).collect::<BTreeSet<_>>().len();
    if packages <= MOST_PACKAGES {
        return Ok(());
    }
    let what = format!("{} is built of {packages} packages, more than {MOST_PACKAGES}", folder.display());
    Err(Trouble::Failed(what))
}

pub(super) fn docs(room: &Room) -> Result<(), Trouble> {
    let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
    Run::cargo(&room.root, arguments).env("RUSTDOCFLAGS", "-D warnings").pass()
}

pub(super) fn test(room: &Room) -> Result<(), Trouble> {
    Run::cargo(&room.root, ["test", "--workspace", "--locked", "--no-fail-fast"]).pass()
}

/// With the toolchain in use, if it is the promised one: the other steps have then proved it.
pub(super) fn msrv(room: &Room) -> Result<(), Trouble> {
    let manifest = std::fs::read_to_string(room.root.join("Cargo.toml"))?;
    let promised = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let promised = promised.ok_or_else(|| Trouble::Failed("Cargo.toml states no rust-version".to_owned()))?;
    let in_use = Run::new(&room.root, "rustc", ["--version"]).keep()?.success()?;
    if in_use.strip_prefix("rustc ").is_some_and(|version| is_release_of(version, promised)) {
        return Ok(());
    }
    let installed = [promised.to_owned(), format!("{promised}.0")];
    let found = installed.iter().find(|toolchain| Run::cargo_of(&room.root, toolchain, ["--version"]).probe());
    let Some(toolchain) = found else {
        return Err(skipped(
            &format!("Rust {promised} is not installed"),
            &format!("rustup toolchain install {promised} --profile minimal"),
        ));
    };
    // Its own target folder: a change of compilers would throw away what the other steps have built.
    let target = room.target().join("msrv");
    Run::cargo_of(&room.root, toolchain, ["check", "--workspace", "--all-targets", "--locked", "--target-dir"])
        .with([target])
        .pass()
}

/// Whether `rustc --version` speaks of a release of the promised version.
fn is_release_of(version: &str, promised: &str) -> bool {
    let number = version.split([' ', '-']).next().unwrap_or_default();
    let is_final = !version.contains("nightly") && !version.contains("beta");
    is_final && number.strip_prefix(promised).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(super) fn dependencies(room: &Room) -> Result<(), Trouble> {
    deny(room, &["bans", "licenses", "sources"])
}

pub(super) fn advisories(room: &Room) -> Result<(), Trouble> {
    match deny(room, &["advisories"]) {
        // The database is fetched; a machine without a network cannot know.
        Err(Trouble::Failed(text)) if text.contains("failed to fetch advisory database") => {
            Err(skipped("the advisory database cannot be fetched", "run it with a network"))
        }
        ended => ended,
    }
}

fn deny(room: &Room, checks: &[&str]) -> Result<(), Trouble> {
    if !Run::cargo(&room.root, ["deny", "--version"]).probe() {
        return Err(skipped("no cargo-deny", "cargo install cargo-deny --locked"));
    }
    for manifest in ["Cargo.toml"].into_iter().chain(OUTSIDE) {
        let config = room.root.join("deny.toml");
        let run = Run::cargo(&room.root, ["deny", "--manifest-path", manifest, "--config"]);
        let printed = run.with([config]).with(["check"]).with(checks).keep()?;
        if printed.code != Some(0) {
            return Err(Trouble::Failed(format!("{manifest}: {}{}", printed.out, printed.err)));
        }
    }
    Ok(())
}

pub(super) fn miri_models(room: &Room) -> Result<(), Trouble> {
    miri(room, &["-p", "memtwin-models"])
}

fn miri(room: &Room, what: &[&str]) -> Result<(), Trouble> {
    let nightly = nightly(room)?;
    if !Run::cargo_of(&room.root, &nightly, ["miri", "--version"]).probe() {
        let remedy = format!("rustup toolchain install {nightly} --component miri --component rust-src");
        return Err(skipped("no Miri", &remedy));
    }
    Run::cargo_of(&room.root, &nightly, ["miri", "test", "--locked"])
        .with(what)
        // Property tests look for their regression files; Miri is some hundred times slower than the machine.
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env("PROPTEST_CASES", "2")
        .pass()
}

pub(super) fn bench(room: &Room) -> Result<(), Trouble> {
    Run::cargo(&room.root, ["bench", "--locked", "-p", "memtwin", "--bench", "lockstep", "--", "--quick"]).pass()
}

/// What git saw before the first step.
static BEFORE: OnceLock<Option<String>> = OnceLock::new();

/// Notes what git sees now; only the first call counts.
pub(super) fn note_worktree(room: &Room) -> Option<&'static str> {
    BEFORE.get_or_init(|| status(room)).as_deref()
}

fn status(room: &Room) -> Option<String> {
    Run::new(&room.root, "git", ["status", "--porcelain", "--untracked-files=all"]).keep().ok()?.success().ok()
}

pub(super) fn worktree(room: &Room) -> Result<(), Trouble> {
    let before = note_worktree(room);
    let (Some(before), Some(after)) = (before, status(room)) else {
        return Err(skipped("this is no git worktree", "run it in a clone"));
    };
    let new: Vec<&str> = after.lines().filter(|line| before.lines().all(|known| known != *line)).collect();
    if new.is_empty() { Ok(()) } else { Err(Trouble::Failed(new.join(", "))) }
}

fn skipped(why: &str, remedy: &str) -> Trouble {
    Trouble::Skipped { why: why.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::is_release_of;

    #[test]
    fn only_a_final_release_of_the_promised_version_proves_it() {
        assert!(is_release_of("1.95.0 (59807616e 2026-04-14)", "1.95"));
        assert!(!is_release_of("1.95.0-nightly (59807616e 2026-02-14)", "1.95"));
        assert!(!is_release_of("1.96.0 (59807616e 2026-05-14)", "1.95"));
        assert!(!is_release_of("1.950.0", "1.95"));
    }
}
