//! The step that kills campaigns: again and again, at moments that a seed draws. Nothing that was told before a kill may be
//! gone after it, no file may be half written, and the end must be as if nothing had happened.

use crate::command::{Run, Trouble};
use crate::room::Room;
use crate::run_file;
use memtwin::random::Random;
use memtwin::trace_files::load;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const KILLS: u32 = 50;
/// The longest that a run lives, in milliseconds.
const MOST_MILLISECONDS: u32 = 700;
/// Long enough for all kills, short enough to be run to its end afterwards.
const CAMPAIGN: [&str; 9] =
    ["brk_heap", "guest_memory", "--broken", "--seed", "7", "--ops", "32M", "--corpus", "corpus"];

pub(super) fn kills(room: &Room) -> Result<(), Trouble> {
    Run::cargo(&room.root, ["build", "--release", "--quiet", "--locked", "--bin", "memtwin"]).pass()?;
    let (killed, whole) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut random = Random::new(7);
    let mut cut_short = 0;
    let mut known: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for number in 0..KILLS {
        let arguments: &[&str] = if number == 0 { &CAMPAIGN } else { &["--resume"] };
        let life = Duration::from_millis(random.below(MOST_MILLISECONDS).into());
        let told = killed.path().join("told");
        cut_short += u32::from(live_and_die(room, killed.path(), arguments, &told, life)?);
        findings_are_there(killed.path(), &std::fs::read_to_string(&told)?)?;
        let now = corpus(&killed.path().join("corpus"))?;
        if let Some(lost) = known.iter().find(|(path, bytes)| now.get(*path) != Some(bytes)) {
            return Err(Trouble::Failed(format!("after kill {number} {} is gone or changed", lost.0.display())));
        }
        known = now;
    }
    if cut_short * 2 < KILLS {
        return Err(Trouble::Failed(format!("{cut_short} of {KILLS} runs were killed, the others had ended before")));
    }
    let taken_up = fuzz(room, killed.path(), &["--resume"])?;
    let at_once = fuzz(room, whole.path(), &CAMPAIGN)?;
    if run_file::without_times(taken_up) != run_file::without_times(at_once) {
        return Err(Trouble::Failed("a campaign that was killed ends otherwise than one that was not".to_owned()));
    }
    let (after_kills, at_once) = (corpus(&killed.path().join("corpus"))?, corpus(&whole.path().join("corpus"))?);
    let same = after_kills.values().eq(at_once.values());
    if same { Ok(()) } else { Err(Trouble::Failed("the two campaigns leave other corpora".to_owned())) }
}

/// Starts a campaign, or takes it up, and kills it after some time; whether it was still running then.
fn live_and_die(room: &Room, folder: &Path, arguments: &[&str], told: &Path, life: Duration) -> Result<bool, Trouble> {
    let mut command = Command::new(room.target().join("release/memtwin"));
    command.args(["fuzz", "--out", "found"]).args(arguments).current_dir(folder).stdin(Stdio::null());
    let mut child = command.stdout(File::create(told)?).stderr(Stdio::null()).spawn()?;
    std::thread::sleep(life);
    let was_running = child.try_wait()?.is_none();
    child.kill()?;
    child.wait()?;
    Ok(was_running)
}

/// Every trace that was told of is there and whole.
fn findings_are_there(folder: &Path, told: &str) -> Result<(), Trouble> {
    let registry = memtwin::built_in();
    // A last line may have been cut by the kill.
    let whole = told.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for path in whole.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with("found/"))) {
        load(&registry, &folder.join(path))?;
    }
    Ok(())
}

/// The files of the corpora that are not hidden, by their paths below the folder.
fn corpus(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, Trouble> {
    let mut files = BTreeMap::new();
    for dialect in memtwin::built_in().dialects() {
        let Ok(entries) = std::fs::read_dir(folder.join(dialect.name())) else { continue };
        for entry in entries {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                files.insert(Path::new(dialect.name()).join(entry.file_name()), std::fs::read(entry.path())?);
            }
        }
    }
    Ok(files)
}

fn fuzz(room: &Room, folder: &Path, arguments: &[&str]) -> Result<Value, Trouble> {
    let run = Run::memtwin(room).in_folder(folder).with(["fuzz", "--json", "--out", "found"]).with(arguments);
    run_file::parse(&run.keep()?.success()?)
}
