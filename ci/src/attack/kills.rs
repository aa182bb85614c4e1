//! Campaigns that are killed, interrupted or lose their workers at moments that a seed draws. Nothing that was told
//! before may be gone, nothing may be left behind, and taken up again they end as if nothing had happened.

use super::calls::{Call, Ended};
use super::judge::complaints;
use super::place::Place;
use super::{Count, processes};
use crate::run_file;
use memtwin::drivers::command::Trouble;
use memtwin::random::{Random, mix};
use memtwin::trace_files::load;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SHORT_KILLS: u64 = 12;
const LONG_KILLS: u64 = 100;
/// How often a campaign is killed before it is run to its end.
const LIVES: u32 = 3;
/// The longest that the log of a campaign may take to appear.
const BEGIN: Duration = Duration::from_secs(20);

const TARGETS: [&str; 5] =
    ["guest_memory/soft_mmu", "temp_map/private_window", "guest_memory/GM-06", "brk_heap/BH-12", "page_walk/PW-12"];

/// What happens to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The program is killed.
    Program,
    /// It is killed with all that it started.
    All,
    /// The process is killed that makes workers.
    Zygote,
    /// A worker is killed, as by a kernel that is out of memory.
    Worker,
    /// Somebody ends it.
    Signal(End),
    /// Somebody ends it and all of its group, as `timeout` and service managers do.
    GroupSignal(End),
}

/// How somebody asks for an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Interrupt,
    Terminate,
    HangUp,
}

impl End {
    fn signal(self) -> Signal {
        match self {
            End::Interrupt => Signal::SIGINT,
            End::Terminate => Signal::SIGTERM,
            End::HangUp => Signal::SIGHUP,
        }
    }
}

const BLOWS: [Blow; 10] = [
    Blow::Signal(End::Interrupt),
    Blow::Signal(End::Terminate),
    Blow::Signal(End::HangUp),
    Blow::GroupSignal(End::Interrupt),
    Blow::GroupSignal(End::Terminate),
    Blow::GroupSignal(End::HangUp),
    Blow::Program,
    Blow::All,
    Blow::Zygote,
    Blow::Worker,
];

/// What a campaign leaves.
#[derive(PartialEq)]
struct Left {
    code: i32,
    run: Value,
    found: BTreeMap<PathBuf, Vec<u8>>,
    corpus: BTreeMap<PathBuf, Vec<u8>>,
}

pub(super) fn run(place: &Place) -> Result<Count, Trouble> {
    let (ops, kills) = if place.long { ("6M", LONG_KILLS) } else { ("2M", SHORT_KILLS) };
    let folder = place.fresh_folder()?;
    let started = Instant::now();
    let campaign = |place: &Place, folder: &str| begin(place, folder, ops);
    let call = campaign(place, &folder)?;
    let undisturbed = left(place, &folder, &call.run()?)?;
    let milliseconds = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX).max(1);
    let mut random = Random::new(mix(place.seed, 3));
    // Every kind of blow comes about as often as any other.
    let blows: Vec<Vec<(Blow, Duration)>> = (0..kills.div_ceil(LIVES.into()))
        .map(|round| {
            let life = |random: &mut Random| Duration::from_millis(random.below(milliseconds / 2 + 1).into());
            let number = |blow: u32| usize::try_from(round * u64::from(LIVES) + u64::from(blow)).unwrap_or_default();
            (0..LIVES).map(|blow| (BLOWS[number(blow) % BLOWS.len()], life(&mut random))).collect()
        })
        .collect();
    let met = std::sync::atomic::AtomicUsize::new(0);
    place.each(&blows, |blows| {
        let folder = place.fresh_folder()?;
        let mut call = campaign(place, &folder)?;
        for (blow, life) in blows {
            let (complaints, was_met) = strike(place, &folder, &call, *blow, *life, &undisturbed)?;
            met.fetch_add(usize::from(was_met), std::sync::atomic::Ordering::Relaxed);
            if !complaints.is_empty() {
                let again = format!("{blow:?} {} ms after it began: {}", life.as_millis(), call.line());
                place.failures.say("kills", &complaints.join(", "), &again)?;
            }
            call = resume(place, &folder);
        }
        ends_as(place, &folder, &call, blows, &undisturbed)?;
        Ok(std::fs::remove_dir_all(place.root().join(folder))?)
    })?;
    let met = met.into_inner() as u64;
    if met * 4 < kills {
        return Err(Trouble::Failed(format!("{met} of {kills} blows met a campaign, the others came too late")));
    }
    Ok(Count { what: format!("{met} of {kills} blows met {} campaigns", blows.len()), skipped: Vec::new() })
}

/// A campaign with a corpus of its own. Run files name folders, so that all campaigns name theirs alike.
fn begin(place: &Place, folder: &str, ops: &str) -> Result<Call, Trouble> {
    let corpus = place.root().join(folder).join("corpus/guest_memory");
    std::fs::create_dir_all(&corpus)?;
    for entry in std::fs::read_dir(place.root().join("corpus/guest_memory"))? {
        let entry = entry?;
        std::fs::copy(entry.path(), corpus.join(entry.file_name()))?;
    }
    let options = ["--seed", "31", "--ops", ops, "--workers", "2", "--json", "--out", "found", "--corpus", "corpus"];
    Ok(place.call(["fuzz"]).with(TARGETS).with(options).in_folder(&place.root().join(folder)).busy(120))
}

fn resume(place: &Place, folder: &str) -> Call {
    let call = place.call(["fuzz", "--resume", "--json", "--workers", "2", "--out", "found"]);
    call.in_folder(&place.root().join(folder)).busy(120)
}

fn left(place: &Place, folder: &str, ended: &Ended) -> Result<Left, Trouble> {
    let folder = place.root().join(folder);
    let run = run_file::parse(&String::from_utf8_lossy(&ended.out))
        .map_err(|_| Trouble::Failed(String::from_utf8_lossy(&ended.err).into_owned()))?;
    Ok(Left {
        code: ended.code,
        run: run_file::without_times(run),
        found: files(&folder.join("found"))?,
        corpus: files(&folder.join("corpus"))?,
    })
}

/// All files below a folder but the log, whose lines come in the order in which epochs ended.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, Trouble> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != ".campaign.jsonl") {
                // A file that is not whole yet may be renamed meanwhile.
                let Ok(bytes) = std::fs::read(&path) else { continue };
                found.insert(path.strip_prefix(folder)?.to_owned(), bytes);
            }
        }
    }
    Ok(found)
}

/// Lets a campaign live for a while and strikes. What is wrong then, and whether it was still running.
fn strike(
    place: &Place,
    folder: &str,
    call: &Call,
    blow: Blow,
    life: Duration,
    undisturbed: &Left,
) -> Result<(Vec<String>, bool), Trouble> {
    let whole = place.root().join(folder);
    let before = files(&whole.join("corpus"))?;
    let mut running = call.start()?;
    // Before its log is there a campaign has told nothing, and may not have heard of signals.
    let since = Instant::now();
    let log = whole.join("found/.campaign.jsonl");
    while !log.exists() && since.elapsed() < BEGIN && running.child.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(life);
    let was_running = running.child.try_wait()?.is_none();
    let victims = processes::below(running.id());
    // Processes that are left behind are known by their mark. Were it not passed on, none would ever be seen.
    let is_blind = 2 <= victims.len() && running.processes() < 2;
    let met = was_running && hit(blow, running.id(), &victims);
    let ended = running.wait()?;
    // What had ended before the blow ends as ever; where the last line came first, either is right.
    let codes: &[i32] = match blow {
        _ if !was_running => &[0],
        Blow::Program | Blow::All => &[0, 137],
        Blow::Zygote | Blow::Worker => &[0],
        Blow::Signal(End::Interrupt) | Blow::GroupSignal(End::Interrupt) => &[0, 130],
        Blow::Signal(End::Terminate) | Blow::GroupSignal(End::Terminate) => &[0, 143],
        Blow::Signal(End::HangUp) | Blow::GroupSignal(End::HangUp) => &[0, 129],
    };
    let mut found = complaints(&ended, codes);
    let err = String::from_utf8_lossy(&ended.err);
    if is_blind && was_running && ended.code == 0 {
        found.push("its processes do not carry the mark that they are known by".to_owned());
    }
    if matches!(blow, Blow::Signal(_) | Blow::GroupSignal(_))
        && run_file::parse(&String::from_utf8_lossy(&ended.out)).is_err()
    {
        found.push(format!("no run file, but {:?}", err.lines().last().unwrap_or_default()));
    }
    if matches!(blow, Blow::Zygote | Blow::Worker) && met {
        // Nothing need be said of it: a worker may have died of its own before the blow, and a zygote have had its day.
        let is_same = |left: &Left| left.run == undisturbed.run && left.code == undisturbed.code;
        if !left(place, folder, &ended).is_ok_and(|left| is_same(&left)) {
            let last = err.lines().last().unwrap_or_default();
            found.push(format!("it does not end as if undisturbed, but with {last:?}"));
        }
    }
    found.extend(told_and_gone(&whole, &err));
    let after = files(&whole.join("corpus"))?;
    found.extend(before.iter().filter(|(path, _)| !is_unfinished(path)).find_map(|(path, bytes)| {
        (after.get(path) != Some(bytes)).then(|| format!("{} is gone or changed", path.display()))
    }));
    Ok((found, met))
}

/// Strikes, and says whether there was anything to be struck.
fn hit(blow: Blow, program: u32, victims: &[u32]) -> bool {
    match blow {
        Blow::Program => processes::send(program, Signal::SIGKILL),
        Blow::All => victims.iter().for_each(|victim| processes::send(*victim, Signal::SIGKILL)),
        Blow::Signal(end) => processes::send(program, end.signal()),
        Blow::GroupSignal(end) => processes::send_group(program, end.signal()),
        // The zygotes are the program's children, workers are theirs.
        Blow::Zygote | Blow::Worker => {
            let victim =
                if blow == Blow::Zygote { victims.get(1) } else { victims.last().filter(|_| 3 <= victims.len()) };
            let Some(victim) = victim else { return false };
            processes::send(*victim, Signal::SIGKILL);
        }
    }
    true
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".memtwin-"))
}

/// A trace that was told of and is not there, or not whole.
fn told_and_gone(folder: &Path, told: &str) -> Option<String> {
    let registry = memtwin::built_in();
    // A last line may have been cut.
    let whole = told.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut traces = whole.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with("found/")));
    traces.find_map(|trace| load(&registry, &folder.join(trace)).err()).map(|error| error.to_string())
}

/// Runs the campaign to its end, and holds that against one that nothing happened to.
fn ends_as(
    place: &Place,
    folder: &str,
    call: &Call,
    blows: &[(Blow, Duration)],
    undisturbed: &Left,
) -> Result<(), Trouble> {
    let ended = call.run()?;
    let mut found = complaints(&ended, &[undisturbed.code]);
    match left(place, folder, &ended) {
        Err(Trouble::Failed(what) | Trouble::Skipped { why: what, .. }) => found.push(what),
        Ok(left) => {
            let unfinished = left.found.keys().chain(left.corpus.keys()).filter(|path| is_unfinished(path)).count();
            if 0 < unfinished {
                found.push(format!("{unfinished} unfinished files left"));
            }
            if left.run != undisturbed.run {
                found.push("another run file than undisturbed".to_owned());
            }
            if left.found != undisturbed.found {
                found.push("other findings than undisturbed".to_owned());
            }
            if left.corpus != undisturbed.corpus {
                found.push("another corpus than undisturbed".to_owned());
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let what = blows.iter().map(|(blow, life)| format!("{blow:?} after {} ms", life.as_millis()));
    place.failures.say("kills", &found.join(", "), &format!("{}: {}", what.collect::<Vec<_>>().join("; "), call.line()))
}
