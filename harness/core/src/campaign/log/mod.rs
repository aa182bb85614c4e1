//! The log of a campaign: a line for each epoch that was run to its end, and for each finding when it is told. A
//! campaign is a fold over these lines, so one that was killed is taken up by reading them again. A line is on disk
//! before anything else learns of it; a last line that is not whole is what a kill or a power cut left, and is dropped.
//! A line that is damaged, or is there twice, is named and does not count: its epoch is run again. A log is a file of
//! ours, never what a link leads to.

mod line;
pub(super) mod pack;

use super::result::{EpochResult, Found};
use super::{Budget, CampaignError, Plan, Shard};
use crate::accepted::Accepted;
use crate::engines::Engine;
use crate::files::unusable;
use crate::registry::Registry;
use crate::target::Target;
use line::{Read, is_sealed, seal};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Below the folder of findings; hidden, because it is no trace.
const NAME: &str = ".campaign.jsonl";
const VERSION: u32 = 2;
/// How every log begins.
const PREFIX: &[u8] = b"{\"memtwin_campaign\":";

/// The first line: what the campaign is.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    memtwin_campaign: u32,
    targets: Vec<String>,
    seed: u64,
    budget: Budget,
    shard: Shard,
    strict: bool,
    engine: Engine,
    /// The signatures that traces go on behind, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    accepted: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    corpus: Option<PathBuf>,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    target: Cow<'a, str>,
    /// Since the campaign began, without the time between its runs.
    milliseconds: u64,
    what: What<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What<'a> {
    /// What the corpus showed.
    Opened(Cow<'a, EpochResult>),
    /// An epoch, by its number in the shard.
    Epoch(u64, Cow<'a, EpochResult>),
    /// A finding, before its epoch was over.
    Found(Cow<'a, Found>),
}

/// What a log says of the runs before.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) openings: Vec<(usize, EpochResult)>,
    pub(super) epochs: Vec<(usize, u64, EpochResult)>,
    pub(super) found: Vec<(usize, Found)>,
    pub(super) elapsed: Duration,
    pub(super) damage: Damage,
}

/// The lines of a log that do not count, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    /// Those that are not as they were written.
    pub damaged: Vec<usize>,
    /// Those that say again what an earlier one says.
    pub doubled: Vec<usize>,
}

/// A log that is being written. It is locked as long as it is open.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    end: Mutex<End>,
    began: Instant,
    before: Duration,
}

/// Where lines are appended.
#[derive(Debug)]
struct End {
    file: File,
    /// The length of the whole lines.
    whole_bytes: u64,
    /// Whether a line could not be written: none may follow what is left of it.
    is_broken: bool,
}

impl Log {
    /// Begins the log of a new campaign; an older campaign in this folder can no longer be taken up.
    pub(super) fn begin(registry: &Registry, plan: &Plan) -> Result<Self, CampaignError> {
        let path = plan.out.join(NAME);
        std::fs::create_dir_all(&plan.out)
            .map_err(|source| CampaignError::Folder { path: plan.out.clone(), source })?;
        let file = open(&path, true)?;
        must_be_ours(&path, &file)?;
        file.set_len(0).map_err(|source| CampaignError::Write { path: path.clone(), source })?;
        let head = Head {
            memtwin_campaign: VERSION,
            targets: plan.targets.iter().filter_map(|&index| registry.get(index)).map(Target::name).collect(),
            seed: plan.seed,
            budget: plan.budget,
            shard: plan.shard,
            strict: plan.strict,
            engine: plan.engine,
            accepted: named(registry, plan),
            corpus: plan.corpus.clone(),
        };
        let log = Log::at_end(path, file, 0, Duration::ZERO);
        log.append(&head)?;
        Ok(log)
    }

    /// Takes up the campaign whose log lies in this folder.
    pub(super) fn take_up(registry: &Registry, out: &Path) -> Result<(Self, Plan, Past), CampaignError> {
        let path = out.join(NAME);
        let nothing = || CampaignError::NoCampaign { folder: out.to_owned() };
        if path.symlink_metadata().is_err() {
            return Err(nothing());
        }
        let file = open(&path, false)?;
        let unreadable = |source| CampaignError::Read { path: path.clone(), source };
        let broken = |line: usize, message: String| CampaignError::Log { path: path.clone(), line, message };
        let (mut reader, mut whole_bytes) = (BufReader::new(&file), 0);
        let mut next = |number: usize| match line::read(&mut reader, &mut whole_bytes).map_err(unreadable)? {
            Read::Whole(line) => Ok(Some(line)),
            Read::TooLong => Err(broken(number, "no line of a log is as long as this one".to_owned())),
            Read::End => Ok(None),
        };
        let head = read_head(&next(1)?.ok_or_else(nothing)?).map_err(|message| broken(1, message))?;
        let index =
            |name: &str| name.split_once('/').and_then(|(component, subject)| registry.index_of(component, subject));
        let known = |line: usize, name: &str| {
            index(name).ok_or_else(|| broken(line, format!("{name} is no subject of this program")))
        };
        let mut past = Past::default();
        let (mut openings, mut epochs) = (BTreeSet::new(), BTreeSet::new());
        for number in 2.. {
            let Some(text) = next(number)? else { break };
            if !is_sealed(&text) {
                past.damage.damaged.push(number);
                continue;
            }
            let line: Line<'_> = serde_json::from_slice(&text).map_err(|error| broken(number, error.to_string()))?;
            let target = known(number, &line.target)?;
            past.elapsed = past.elapsed.max(Duration::from_millis(line.milliseconds));
            let is_new = match line.what {
                What::Opened(result) => {
                    openings.insert(target) && {
                        past.openings.push((target, result.into_owned()));
                        true
                    }
                }
                What::Epoch(own, result) => {
                    epochs.insert((target, own)) && {
                        past.epochs.push((target, own, result.into_owned()));
                        true
                    }
                }
                // An epoch that is run again may find the same again.
                What::Found(found) => {
                    past.found.push((target, found.into_owned()));
                    true
                }
            };
            if !is_new {
                past.damage.doubled.push(number);
            }
        }
        let accepted = head.accepted.iter().map(|(name, signatures)| {
            known(1, name).map(|target| (target, Accepted::new(signatures.iter().map(String::as_str))))
        });
        let plan = Plan {
            targets: head.targets.iter().map(|name| known(1, name)).collect::<Result<_, _>>()?,
            budget: head.budget,
            shard: head.shard,
            strict: head.strict,
            engine: head.engine,
            accepted: accepted.collect::<Result<_, _>>()?,
            corpus: head.corpus,
            log: true,
            ..Plan::new(Vec::new(), head.seed, head.budget, out)
        };
        if let Some(&number) = past.damage.damaged.first().filter(|_| has_lost_an_opening(registry, &plan, &past)) {
            let message = "the line is damaged, and it said what the corpus was when the campaign began";
            return Err(broken(number, message.to_owned()));
        }
        // What is appended must not follow half a line.
        file.set_len(whole_bytes).map_err(|source| CampaignError::Write { path: path.clone(), source })?;
        let elapsed = past.elapsed;
        Ok((Log::at_end(path, file, whole_bytes, elapsed), plan, past))
    }

    fn at_end(path: PathBuf, file: File, whole_bytes: u64, before: Duration) -> Self {
        let end = Mutex::new(End { file, whole_bytes, is_broken: false });
        Log { path, end, began: Instant::now(), before }
    }

    pub(super) fn opened(&self, target: &dyn Target, result: &EpochResult) -> Result<(), CampaignError> {
        self.write(target, What::Opened(Cow::Borrowed(result)))
    }

    pub(super) fn epoch(&self, target: &dyn Target, own: u64, result: &EpochResult) -> Result<(), CampaignError> {
        self.write(target, What::Epoch(own, Cow::Borrowed(result)))
    }

    pub(super) fn found(&self, target: &dyn Target, found: &Found) -> Result<(), CampaignError> {
        self.write(target, What::Found(Cow::Borrowed(found)))
    }

    /// An error if what lies where the log should is no longer it: then nothing that was found can be taken up.
    pub(super) fn must_be_there(&self) -> Result<(), CampaignError> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).must_be_at(&self.path)
    }

    fn write(&self, target: &dyn Target, what: What<'_>) -> Result<(), CampaignError> {
        let elapsed = self.before + self.began.elapsed();
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.append(&Line { target: Cow::Owned(target.name()), milliseconds, what })
    }

    fn append(&self, line: &impl Serialize) -> Result<(), CampaignError> {
        let failed = |source| CampaignError::Write { path: self.path.clone(), source };
        let line = seal(serde_json::to_vec(line).map_err(|error| failed(error.into()))?);
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.must_be_at(&self.path)?;
        end.append(&line).map_err(failed)
    }
}

impl End {
    fn must_be_at(&self, path: &Path) -> Result<(), CampaignError> {
        let place = |there: &std::fs::Metadata| (there.dev(), there.ino());
        let there = path.symlink_metadata().ok().as_ref().map(place);
        let is_there = self.file.metadata().is_ok_and(|own| there == Some(place(&own)));
        if is_there { Ok(()) } else { Err(CampaignError::Gone { path: path.to_owned() }) }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier line could not be written"));
        }
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        if written.is_ok() {
            self.whole_bytes += line.len() as u64;
        } else {
            // Whatever of it is there, the log ends with a whole line; where it cannot be cut, reading drops the rest.
            self.is_broken = true;
            let _ = self.file.set_len(self.whole_bytes);
        }
        written
    }
}

/// What traces go on behind, by the names of targets.
fn named(registry: &Registry, plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let of_target =
        |(&target, accepted): (&usize, &Accepted)| Some((registry.get(target)?.name(), accepted.signatures().to_vec()));
    plan.accepted.iter().filter_map(of_target).collect()
}

/// Reads the first line. The version is judged first: an older log has no seals, a newer one may have other fields.
fn read_head(text: &[u8]) -> Result<Head, String> {
    #[derive(Deserialize)]
    struct Version {
        memtwin_campaign: u32,
    }
    let damaged = || "the line is damaged, and it said what the campaign is".to_owned();
    let version: Version = serde_json::from_slice(text).map_err(|_| damaged())?;
    match version.memtwin_campaign {
        VERSION if is_sealed(text) => serde_json::from_slice(text).map_err(|error| error.to_string()),
        VERSION => Err(damaged()),
        version => Err(format!("version {version} of the log; this memtwin reads {VERSION}")),
    }
}

/// Whether a sound subject has an epoch, and one of them has no opening. All are opened before any has an epoch, and
/// the corpus has grown since.
fn has_lost_an_opening(registry: &Registry, plan: &Plan, past: &Past) -> bool {
    let is_sound = |target: usize| registry.get(target).is_some_and(Target::is_sound);
    let is_opened = |target: usize| past.openings.iter().any(|(opened, _)| *opened == target);
    let has_epochs = past.epochs.iter().any(|(target, _, _)| is_sound(*target));
    plan.corpus.is_some() && has_epochs && plan.targets.iter().any(|&target| is_sound(target) && !is_opened(target))
}

/// Opens a log for reading and appending, for one program at a time.
fn open(path: &Path, is_made: bool) -> Result<File, CampaignError> {
    let failed = |source| CampaignError::Open { path: path.to_owned(), source };
    let no_log = |there: &std::fs::Metadata| {
        let kind = there.file_type();
        if kind.is_file() { Ok(()) } else { Err(failed(io::Error::other(unusable(kind)))) }
    };
    path.symlink_metadata().as_ref().map_or(Ok(()), no_log)?;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).append(true).create(is_made).custom_flags(flags).open(path);
    let file = opened.map_err(failed)?;
    no_log(&file.metadata().map_err(failed)?)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CampaignError::Taken { folder: path.parent().unwrap_or(path).to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A file may be emptied for a new log if it is empty or an old log, and is nothing else under another name.
fn must_be_ours(path: &Path, mut file: &File) -> Result<(), CampaignError> {
    let failed = |source| CampaignError::Open { path: path.to_owned(), source };
    let mut begins = Vec::new();
    file.take(PREFIX.len() as u64).read_to_end(&mut begins).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if !PREFIX.starts_with(&begins) {
        return Err(failed(io::Error::other("it is there already, and no campaign wrote it")));
    }
    if 1 < file.metadata().map_err(failed)?.nlink() {
        return Err(failed(io::Error::other("the same file has another name as well")));
    }
    Ok(())
}
