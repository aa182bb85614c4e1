//! `.ci/run` with a stand-in for cargo: whichever part fails, so does it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// The exit code of `.ci/run` where `cargo test` and `cargo xtask` end with these, and what cargo was called with.
fn run(tests: i32, steps: i32, arguments: &[&str]) -> (i32, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\ncase $1 in test) exit {tests} ;; xtask) exit {steps} ;; esac\n",
        log.display()
    );
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, script).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/run");
    let output = Command::new(program).args(arguments).env("PATH", path).output().unwrap();
    let calls = std::fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect();
    (output.status.code().unwrap(), calls)
}

#[test]
fn it_passes_if_all_passes_and_hands_its_arguments_on() {
    let (code, calls) = run(0, 0, &["--full"]);
    assert_eq!(code, 0);
    assert_eq!(calls[calls.len() - 2..], ["test", "xtask ci --skip test --full"]);
}

#[test]
fn it_fails_if_tests_fail_and_still_runs_the_steps() {
    let (code, calls) = run(101, 0, &[]);
    assert_eq!(code, 101);
    assert_eq!(calls.last().unwrap(), "xtask ci --skip test");
}

#[test]
fn it_fails_if_a_step_fails_or_the_steps_cannot_start() {
    for steps in [1, 2, 101, 127] {
        assert_eq!(run(0, steps, &[]).0, steps);
    }
}
