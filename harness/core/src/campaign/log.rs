//! The log of a campaign: a line for each epoch that was run to its end, and for each finding when it is told. A campaign is a
//! fold over these lines, so one that was killed is taken up by reading them again. A line is on disk before anything else
//! learns of it; a last line that is not whole is what a kill or a power cut left, and is dropped. Nothing else is forgiven.

use super::result::{EpochResult, Found};
use super::{Budget, CampaignError, Plan, Shard};
use crate::engines::Engine;
use crate::registry::Registry;
use crate::target::Target;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Below the folder of findings; hidden, because it is no trace.
const NAME: &str = ".campaign.jsonl";
const VERSION: u32 = 1;

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
}

/// A log that is being written. It is locked as long as it is open.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: Mutex<File>,
    began: Instant,
    before: Duration,
}

impl Log {
    /// Begins the log of a new campaign; an older campaign in this folder can no longer be taken up.
    pub(super) fn begin(registry: &Registry, plan: &Plan) -> Result<Self, CampaignError> {
        let path = plan.out.join(NAME);
        let unwritable = |source| CampaignError::Write { path: path.clone(), source };
        std::fs::create_dir_all(&plan.out).map_err(unwritable)?;
        let file = open(&path)?;
        file.set_len(0).map_err(unwritable)?;
        let head = Head {
            memtwin_campaign: VERSION,
            targets: plan.targets.iter().filter_map(|&index| registry.get(index)).map(Target::name).collect(),
            seed: plan.seed,
            budget: plan.budget,
            shard: plan.shard,
            strict: plan.strict,
            engine: plan.engine,
            corpus: plan.corpus.clone(),
        };
        let log = Log { path, file: Mutex::new(file), began: Instant::now(), before: Duration::ZERO };
        log.append(&head)?;
        Ok(log)
    }

    /// Takes up the campaign whose log lies in this folder.
    pub(super) fn take_up(registry: &Registry, out: &Path) -> Result<(Self, Plan, Past), CampaignError> {
        let path = out.join(NAME);
        if !path.is_file() {
            return Err(CampaignError::NoCampaign { folder: out.to_owned() });
        }
        let mut file = open(&path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|source| CampaignError::Read { path: path.clone(), source })?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        // What is appended must not follow half a line.
        file.set_len(whole as u64).map_err(|source| CampaignError::Write { path: path.clone(), source })?;
        let mut lines = text.split(|&byte| byte == b'\n').zip(1..).filter(|(line, _)| !line.is_empty());
        let broken = |line: usize, message: String| CampaignError::Log { path: path.clone(), line, message };
        let (head, _) = lines.next().ok_or_else(|| CampaignError::NoCampaign { folder: out.to_owned() })?;
        let head: Head = serde_json::from_slice(head).map_err(|error| broken(1, error.to_string()))?;
        if head.memtwin_campaign != VERSION {
            return Err(broken(
                1,
                format!("version {} of the log; this memtwin reads {VERSION}", head.memtwin_campaign),
            ));
        }
        let index =
            |name: &str| name.split_once('/').and_then(|(component, subject)| registry.index_of(component, subject));
        let known = |line: usize, name: &str| {
            index(name).ok_or_else(|| broken(line, format!("{name} is no subject of this program")))
        };
        let mut past = Past::default();
        for (text, number) in lines {
            let line: Line<'_> = serde_json::from_slice(text).map_err(|error| broken(number, error.to_string()))?;
            let target = known(number, &line.target)?;
            past.elapsed = past.elapsed.max(Duration::from_millis(line.milliseconds));
            match line.what {
                What::Opened(result) => past.openings.push((target, result.into_owned())),
                What::Epoch(own, result) => past.epochs.push((target, own, result.into_owned())),
                What::Found(found) => past.found.push((target, found.into_owned())),
            }
        }
        let plan = Plan {
            targets: head.targets.iter().map(|name| known(1, name)).collect::<Result<_, _>>()?,
            budget: head.budget,
            shard: head.shard,
            strict: head.strict,
            engine: head.engine,
            corpus: head.corpus,
            log: true,
            ..Plan::new(Vec::new(), head.seed, head.budget, out)
        };
        Ok((Log { path, file: Mutex::new(file), began: Instant::now(), before: past.elapsed }, plan, past))
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

    fn write(&self, target: &dyn Target, what: What<'_>) -> Result<(), CampaignError> {
        let elapsed = self.before + self.began.elapsed();
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.append(&Line { target: Cow::Owned(target.name()), milliseconds, what })
    }

    fn append(&self, line: &impl Serialize) -> Result<(), CampaignError> {
        let mut bytes = serde_json::to_vec(line).map_err(|error| self.failed(error.into()))?;
        bytes.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> CampaignError {
        CampaignError::Write { path: self.path.clone(), source }
    }
}

/// Opens a log for reading and appending, for one program at a time.
fn open(path: &Path) -> Result<File, CampaignError> {
    let failed = |source| CampaignError::Write { path: path.to_owned(), source };
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CampaignError::Taken { folder: path.parent().unwrap_or(path).to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
