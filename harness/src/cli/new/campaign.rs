//! A short campaign of the whole program: sound subjects agree with the model, broken ones are caught.

use std::process::Command;

const PROGRAM: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));
/// Few enough for a test; `cargo run --release -- fuzz` runs as many as you like.
const OPS: &str = "200k";

/// Runs these subjects, and demands that all end as their health says. What is found goes to a folder.
fn fuzz(subjects: &[String], out: &str) {
    assert!(!subjects.is_empty(), "src/lib.rs has no such subject");
    let output = Command::new(PROGRAM)
        .arg("fuzz")
        .args(subjects)
        .args(["--ops", OPS, "--seed", "7", "--out", out])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{subjects:?}:\n{said}{errors}");
}

fn subjects(is_sound: bool) -> Vec<String> {
    let registry = {{crate}}::registry();
    let chosen = registry
        .targets()
        .filter(|target| target.is_sound() == is_sound);
    chosen.map(|target| target.name()).collect()
}

#[test]
fn sound_subjects_agree() {
    fuzz(
        &subjects(true),
        concat!(env!("CARGO_TARGET_TMPDIR"), "/sound"),
    );
}

#[test]
fn broken_subjects_are_caught() {
    fuzz(
        &subjects(false),
        concat!(env!("CARGO_TARGET_TMPDIR"), "/broken"),
    );
}
