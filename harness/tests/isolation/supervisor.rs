//! The supervisor's own end, by a signal that it cannot see and by one that it can.

use crate::{READ, files_below, lanes, replay_one};
use libtest_mimic::Failed;
use memtwin::run_file::RunFile;
use memtwin::trace_files::load;
use nix::sys::signal::{SigHandler, Signal, kill, killpg, signal};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// An environment variable that supervisor, zygotes and workers share.
const MARK: &str = "MEMTWIN_TEST_FOLDER";

/// One subject whose defect is found at once, and one that agrees.
const BOTH: &[&str] = &["guest_memory/GM-01", "guest_memory/soft_mmu"];

/// memtwin itself, with a campaign of this many ops.
fn campaign(folder: &Path, targets: &[&str], ops: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtwin"));
    command
        .arg("fuzz")
        .args(targets)
        .args(["--ops", ops, "--seed", "7", "--out"])
        .arg(folder)
        .env(MARK, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // memtwin leaves alone what is ignored from the start, as it is in a script's background jobs.
    let listen = || {
        // SAFETY: the default action runs no code of this process.
        let before = unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) };
        before.map(drop).map_err(Into::into)
    };
    // SAFETY: the closure makes one system call, which is async-signal-safe.
    unsafe { command.pre_exec(listen) };
    command
}

fn wait_for_a_finding(folder: &Path) -> Result<(), Failed> {
    for _ in 0..20_000 {
        if !traces(folder).is_empty() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("nothing was found".into())
}

/// In the middle of a long campaign, with one finding on disk.
fn busy_supervisor(folder: &Path) -> Result<Child, Failed> {
    let child = campaign(folder, BOTH, "500G").spawn()?;
    wait_for_a_finding(folder)?;
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

/// How many processes descend from the supervisor of this folder: their environment says so, whoever their parent is
/// now. A process that has ended and waits to be collected has none.
fn family(folder: &Path) -> usize {
    let mark = format!("{MARK}={}", folder.display());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments.filter(|variables| variables.split(|&byte| byte == 0).any(|one| one == mark.as_bytes())).count()
}

/// A signal to the program alone and to its whole group, as a terminal, `timeout` and a service manager send it.
pub(super) fn group_is_signalled() -> Result<(), Failed> {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        for to_group in [false, true] {
            let folder = tempfile::tempdir()?;
            let mut command = campaign(folder.path(), BOTH, "500G");
            let child = command.arg("--json").process_group(0).spawn()?;
            wait_for_a_finding(folder.path())?;
            let pid = Pid::from_raw(i32::try_from(child.id())?);
            kill(pid, signal)?;
            if to_group {
                // `timeout` sends it to its child, and then to the group that both are in.
                killpg(pid, signal)?;
            }
            let output = child.wait_with_output()?;
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{signal} {to_group} {text}");
            assert!(text.contains("interrupted: what was found until then is saved"), "{text}");
            let run: RunFile = serde_json::from_slice(&output.stdout)?;
            assert_eq!(run.totals.caught, 1);
            finding_is_whole(folder.path())?;
        }
    }
    Ok(())
}

/// A campaign of which something else kills a worker or the zygote ends as if it had not.
pub(super) fn killed_worker_and_zygote() -> Result<(), Failed> {
    let undisturbed = run_and_kill(|_| None)?;
    assert!(!undisturbed.1.contains("outside of memtwin"), "{}", undisturbed.1);
    let zygote = |pid| children(pid).first().copied();
    let worker = |pid| children(zygote(pid)?).first().copied().filter(|worker| is_at_work(*worker));
    for victim in [&zygote as &dyn Fn(u32) -> Option<u32>, &worker] {
        let (run, said) = run_and_kill(victim)?;
        assert!(said.contains("note: something outside of memtwin"), "{said}");
        assert_eq!(run, undisturbed.0);
    }
    Ok(())
}

/// The run file without times, and what it said; the victim is killed as soon as it is there.
fn run_and_kill(victim: impl Fn(u32) -> Option<u32>) -> Result<(RunFile, String), Failed> {
    let folder = tempfile::tempdir()?;
    // Each of its workers lives long; one of a broken subject might die of its own before it is killed.
    let mut child =
        campaign(folder.path(), &["guest_memory/soft_mmu"], "4M").args(["--json", "--workers", "1"]).spawn()?;
    while child.try_wait()?.is_none() {
        if let Some(victim) = victim(child.id()) {
            kill(Pid::from_raw(i32::try_from(victim)?), Signal::SIGKILL)?;
            break;
        }
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let mut run: RunFile = serde_json::from_slice(&output.stdout)?;
    for subject in &mut run.subjects {
        subject.seconds = 0.0;
        subject.growth.iter_mut().for_each(|point| point.seconds = 0.0);
    }
    assert!(traces(folder.path()).is_empty());
    Ok((run, said))
}

/// The processes that this one started and that live (man 5 proc).
fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Whether a process runs; one that has ended and waits to be collected does not (man 5 proc).
fn is_at_work(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['R', 'S']))
}

/// An environment variable that makes this test program a supervisor of one trace, whose op sleeps.
pub(super) const SLEEP: &str = "MEMTWIN_TEST_SLEEP";

pub(super) fn sleep() -> ExitCode {
    #[allow(clippy::print_stdout)] // it is what this process is started for
    match std::env::var(SLEEP).as_deref() {
        Ok("lane") => match lanes::sleep() {
            Ok(ending) => println!("{ending:?}"),
            Err(error) => println!("{error}"),
        },
        Ok(_) | Err(_) => match replay_one("sleeper", READ) {
            Ok(ending) => println!("{ending:?}"),
            Err(error) => println!("{}", error.message().unwrap_or_default()),
        },
    }
    ExitCode::SUCCESS
}

pub(super) fn killed_each_time() -> Result<(), Failed> {
    let (said, killed) = kill_each_time("first", Signal::SIGKILL)?;
    let expected = "not judged: something outside of memtwin killed its worker 3 times (signal 9); is memory short?\n";
    assert_eq!((said.as_str(), killed), (expected, 3));
    Ok(())
}

/// Sends a signal to each worker of one trace whose op sleeps; what was said in the end, and how many workers there
/// were.
pub(super) fn kill_each_time(who: &str, signal: Signal) -> Result<(String, usize), Failed> {
    let mut child = Command::new(std::env::current_exe()?).env(SLEEP, who).stdout(Stdio::piped()).spawn()?;
    let mut killed = std::collections::BTreeSet::new();
    while child.try_wait()?.is_none() {
        for worker in children(child.id()).into_iter().flat_map(children) {
            // Before it sleeps nobody knows whose turn it is.
            if is_asleep(worker) && killed.insert(worker) {
                let _ = kill(Pid::from_raw(i32::try_from(worker)?), signal);
            }
        }
    }
    let output = child.wait_with_output()?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), killed.len()))
}

/// Whether all threads of a process sleep for a while.
fn is_asleep(pid: u32) -> bool {
    let states = || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let text = |path: PathBuf| std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        threads.map(|thread| text(thread.path())).collect::<Vec<_>>()
    };
    let sleeps = |text: &String| text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'));
    let now = states();
    std::thread::sleep(Duration::from_millis(100));
    now.iter().all(sleeps) && !now.is_empty() && states() == now
}
