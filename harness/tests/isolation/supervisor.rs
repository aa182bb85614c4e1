//! The supervisor's own end, by a signal that it cannot see and by one that it can.

use crate::files_below;
use libtest_mimic::Failed;
use memtwin::trace_files::load;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An environment variable that supervisor, zygotes and workers share.
const MARK: &str = "MEMTWIN_TEST_FOLDER";

/// memtwin itself in the middle of a long campaign, with one finding on disk.
fn busy_supervisor(folder: &Path) -> Result<Child, Failed> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_memtwin"))
        .args(["fuzz", "guest_memory/GM-01", "guest_memory/soft_mmu", "--ops", "500G", "--seed", "7", "--out"])
        .arg(folder)
        .env(MARK, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let is_found = || !traces(folder).is_empty();
    while !is_found() {
        if let Some(status) = child.try_wait()? {
            return Err(format!("it ended with {status} before it found anything").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(child)
}

/// The filed traces; the campaign's log is hidden and is none.
fn traces(folder: &Path) -> Vec<PathBuf> {
    let is_trace =
        |path: &PathBuf| path.extension().is_some_and(|e| e == "jsonl") && !path.ends_with(".campaign.jsonl");
    files_below(folder).into_iter().filter(is_trace).collect()
}

fn finding_is_whole(folder: &Path) -> Result<(), Failed> {
    let traces = traces(folder);
    assert_eq!(traces.len(), 1, "{traces:?}");
    let loaded = load(&memtwin::built_in(), &traces[0])?;
    assert_eq!(loaded.header.expect.as_deref(), Some("guest_memory/segfault/read_bulk"));
    assert!(0 < loaded.dialect.op_count(&loaded.wire));
    Ok(())
}

pub(super) fn killed() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut child = busy_supervisor(folder.path())?;
    // Workers come and go: the family is looked at until it has supervisor, zygote and worker.
    while family(folder.path()) < 3 {
        if let Some(status) = child.try_wait()? {
            return Err(format!("it ended with {status} in the middle of its campaign").into());
        }
    }
    kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGKILL)?;
    child.wait()?;
    finding_is_whole(folder.path())?;
    for _ in 0..2000 {
        if family(folder.path()) == 0 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err("workers or zygotes outlive their supervisor".into())
}

pub(super) fn interrupted() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let child = busy_supervisor(folder.path())?;
    kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGINT)?;
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains("interrupted: what was found until then is saved"), "{text}");
    assert!(text.contains("1 of 1 known defects caught"), "{text}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    finding_is_whole(folder.path())
}

/// How many processes descend from the supervisor of this folder: their environment says so, whoever their parent is now.
/// A process that has ended and waits to be collected has none.
fn family(folder: &Path) -> usize {
    let mark = format!("{MARK}={}", folder.display());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments.filter(|variables| variables.split(|&byte| byte == 0).any(|one| one == mark.as_bytes())).count()
}
