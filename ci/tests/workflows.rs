//! What the workflows may do: call what runs here too, with as few rights as they need. Whether GitHub understands them
//! is for the step `workflows`, which asks others.

use std::path::{Path, PathBuf};

/// How a command of a workflow may begin. The steps themselves are code, which runs everywhere.
const COMMANDS: &[&str] = &[
    ".ci/",
    "cargo xtask ",
    "cargo run --release -- nightly ",
    "cargo install ",
    "cargo afl config ",
    "rustup ",
    "pipx install ",
    "cat nightly-report/summary.md >>\"$GITHUB_STEP_SUMMARY\"",
];

/// The rights to write that workflows have, each for the one job that needs it.
const WRITES: &[(&str, &str)] = &[
    ("cflite_batch.yml/fuzz", "security-events"),
    ("cflite_pr.yml/fuzz", "security-events"),
    ("nightly.yml/issues", "issues"),
    ("nightly.yml/sarif", "security-events"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Name and text of every workflow, in the order of their names.
fn workflows() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), text(path))).collect()
}

/// The lines before the jobs, and for each job its name and its lines.
fn parts(text: &str) -> (Vec<&str>, Vec<(&str, Vec<&str>)>) {
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let head: Vec<_> = lines.by_ref().take_while(|line| *line != "jobs:").collect();
    let mut jobs: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        match line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')) {
            Some(name) if !name.starts_with(' ') => jobs.push((name, Vec::new())),
            _ => jobs.last_mut().expect("a job before its steps").1.push(line),
        }
    }
    assert!(!jobs.is_empty());
    (head, jobs)
}

/// The values of a key, wherever it stands: as the first of a step, or later.
fn values<'a>(lines: &[&'a str], key: &str) -> Vec<&'a str> {
    let value = |line: &&'a str| {
        let line = line.trim_start();
        line.strip_prefix("- ").unwrap_or(line).strip_prefix(key)?.strip_prefix(':').map(str::trim)
    };
    lines.iter().filter_map(value).collect()
}

#[test]
fn commands_are_those_that_run_here_too_and_hold_no_text_of_others() {
    let mut count = 0;
    for (name, text) in workflows() {
        for command in values(&text.lines().collect::<Vec<_>>(), "run") {
            count += 1;
            assert!(COMMANDS.iter().any(|start| command.starts_with(start)), "{name}: {command}");
            assert!(!command.contains("${{"), "{name}: {command}: pass it in a variable of the environment");
        }
    }
    assert!(10 <= count, "only {count} commands: the search is broken");
}

#[test]
fn jobs_are_limited_in_time_and_rights() {
    let mut writes = Vec::new();
    for (name, text) in workflows() {
        let (head, jobs) = parts(&text);
        let rights = head.iter().skip_while(|line| **line != "permissions:").skip(1);
        let rights: Vec<_> = rights.take_while(|line| line.starts_with(' ')).copied().collect();
        assert_eq!(rights, ["  contents: read"], "{name}: what all jobs may do");
        for (job, lines) in jobs {
            let minutes = values(&lines, "timeout-minutes");
            assert!(matches!(minutes[..], [minutes] if minutes.parse::<u32>().is_ok()), "{name}: {job} has no limit");
            let right = |line: &&str| line.trim().strip_suffix(": write").map(str::to_owned);
            writes.extend(lines.iter().filter_map(right).map(|right| (format!("{name}/{job}"), right)));
        }
    }
    writes.sort();
    let expected: Vec<_> = WRITES.iter().map(|(job, right)| ((*job).to_owned(), (*right).to_owned())).collect();
    assert_eq!(writes, expected);
}

#[test]
fn actions_have_a_version_and_checkouts_leave_no_token_behind() {
    for (name, text) in workflows() {
        let lines: Vec<_> = text.lines().collect();
        for action in values(&lines, "uses") {
            let version = action.split_once('@').map_or("", |(_, version)| version);
            let is_tag = version.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
            let is_hash = version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_tag || is_hash, "{name}: {action}");
        }
        let checkouts = values(&lines, "uses").iter().filter(|action| action.starts_with("actions/checkout@")).count();
        let without = values(&lines, "persist-credentials").iter().filter(|value| **value == "false").count();
        assert_eq!(checkouts, without, "{name}");
    }
}

#[test]
fn clusterfuzzlite_has_all_its_modes() {
    let mut modes: Vec<_> = workflows()
        .iter()
        .flat_map(|(_, text)| {
            values(&text.lines().collect::<Vec<_>>(), "mode").into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    modes.sort();
    assert_eq!(modes, ["batch", "code-change", "coverage", "prune"]);
}

#[test]
fn the_images_build_with_the_pinned_nightly_and_the_one_script() {
    let pin = read("ci/nightly-toolchain");
    let pin = pin.trim();
    assert!(pin.starts_with("nightly-20") && pin.len() == "nightly-2026-05-20".len(), "{pin} names no night");
    for (image, copy) in [
        (".clusterfuzzlite/Dockerfile", "COPY .clusterfuzzlite/build.sh $SRC/"),
        ("ci/oss-fuzz/Dockerfile", "RUN cp .clusterfuzzlite/build.sh $SRC/"),
    ] {
        let text = read(image);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.contains(&format!("ENV RUSTUP_TOOLCHAIN={pin}").as_str()), "{image}: {pin}");
        assert!(lines.contains(&copy), "{image}: {copy}");
        assert!(lines.contains(&"FROM gcr.io/oss-fuzz-base/base-builder-rust"), "{image}");
    }
}
