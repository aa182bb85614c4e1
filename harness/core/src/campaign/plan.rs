//! What a campaign is asked to do. It decides nothing.

use crate::accepted::Accepted;
use crate::engines::Engine;
use crate::registry::Registry;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// How long a campaign runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// This many ops for each sound subject, and at most for each Broken one. Same seed, same findings, for any number
    /// of workers.
    Ops(u64),
    /// This long altogether; sound subjects share what the Broken ones leave. Promises no identity.
    Time(Duration),
    /// Until interrupted.
    Endless,
}

/// One of several machines' parts of a campaign: no two of them run the same epoch of a sound subject, or the same
/// Broken subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// From 0 on.
    index: u64,
    count: u64,
}

impl Shard {
    /// The whole campaign.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// The campaign's number of this shard's epoch number `own`; nothing where it cannot be counted.
    pub(super) fn epoch(self, own: u64) -> Option<u64> {
        own.checked_mul(self.count)?.checked_add(self.index)
    }

    /// Whether thing number `index` of many is this shard's.
    pub(super) fn has(self, index: usize) -> bool {
        index as u64 % self.count == self.index
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index @ 1.., count)) if index <= count => Ok(Shard { index: index - 1, count }),
            _ => Err(format!("{text:?} is no shard; write 2/5 for the second of five")),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        format!("{}/{}", shard.index + 1, shard.count)
    }
}

/// What a campaign is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The targets, by their index in the registry.
    pub targets: Vec<usize>,
    /// The seed.
    pub seed: u64,
    /// The budget.
    pub budget: Budget,
    /// Which part of the campaign this is.
    pub shard: Shard,
    /// The number of worker processes at a time.
    pub workers: usize,
    /// Whether the state is audited after every op.
    pub strict: bool,
    /// Where the traces come from.
    pub engine: Engine,
    /// What traces go on behind, by target. A subject that did is not said to agree.
    pub accepted: BTreeMap<usize, Accepted>,
    /// A folder of corpora, one a component: sound subjects start from what is there, and what they keep is added.
    pub corpus: Option<PathBuf>,
    /// Where findings are filed.
    pub out: PathBuf,
    /// Whether a log is kept in `out`, from which the campaign can be taken up again.
    pub log: bool,
}

impl Plan {
    /// A whole campaign by the default engine with one worker, without a corpus and a log.
    #[must_use]
    pub fn new(targets: Vec<usize>, seed: u64, budget: Budget, out: &Path) -> Self {
        Plan {
            targets,
            seed,
            budget,
            shard: Shard::WHOLE,
            workers: 1,
            strict: false,
            engine: Engine::default(),
            accepted: BTreeMap::new(),
            corpus: None,
            out: out.to_owned(),
            log: false,
        }
    }

    /// What traces of this target go on behind.
    pub(super) fn accepted(&self, target: usize) -> Accepted {
        self.accepted.get(&target).cloned().unwrap_or_default()
    }

    /// Leaves the Broken subjects of other shards to them.
    pub(super) fn keep_own(&mut self, registry: &Registry) {
        let is_sound = |index: usize| registry.get(index).is_some_and(crate::target::Target::is_sound);
        let shard = self.shard;
        self.targets.retain(|&index| is_sound(index) || shard.has(index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_written_as_people_count_them() {
        let second = "2/5".parse::<Shard>().unwrap();
        assert_eq!((second.epoch(0), second.epoch(3), String::from(second).as_str()), (Some(1), Some(16), "2/5"));
        assert_eq!("1/1".parse(), Ok(Shard::WHOLE));
        for wrong in ["", "0/5", "6/5", "2", "2/", "a/b", "-1/2", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn epochs_beyond_counting_are_none() {
        let wide = format!("2/{}", u64::MAX).parse::<Shard>().unwrap();
        assert_eq!((wide.epoch(0), wide.epoch(1), wide.epoch(2)), (Some(1), None, None));
    }

    #[test]
    fn every_thing_is_in_one_shard() {
        let shards: Vec<Shard> = (1..=3).map(|index| format!("{index}/3").parse().unwrap()).collect();
        for thing in 0..20 {
            assert_eq!(shards.iter().filter(|shard| shard.has(thing)).count(), 1);
        }
    }
}
