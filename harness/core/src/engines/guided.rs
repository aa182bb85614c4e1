//! The guided engine: keeps traces that reach new features, and makes most new traces out of those, the rarer what they
//! reached the more. It is as the random engine in everything else: the same stream, index and kept traces give the
//! same trace, and traces come in groups of one setup.

use super::TraceSource;
use super::random::GROUP_TRACES;
use crate::feedback::{Kept, Reach, Reached};
use crate::mutate::{MAX_MUTANT_BYTES, Mutator};
use crate::random::{Random, mix};
use memtwin_models::StateMap;
use std::collections::VecDeque;

/// Fewer kept traces than this say too little: all traces are fresh then.
const ENOUGH: usize = 8;
/// One group in this many is of fresh traces.
const FRESH_ONE_IN: u32 = 3;
/// Kept traces that compete to be the parent of a group.
const COMPETITORS: usize = 4;
/// A donor lends its ops to so many mutants.
const MUTANTS_OF_A_DONOR: u64 = 8;
/// One group of mutants in this many has the setup of a fresh trace.
const OTHER_SETUP_ONE_IN: u32 = 8;
/// Mixed into the stream, so that the draws of this engine are not those of the random engine.
const OWN_STREAM: u64 = 0x6775_6964_6564;

/// The engine.
pub struct Guided {
    fresh: Box<dyn TraceSource>,
    mutator: Mutator,
    reach: Reach,
    kept: Vec<Kept>,
    /// How often each kept trace was a parent.
    chosen: Vec<u32>,
    group: Option<u64>,
    is_fresh: bool,
    /// The parent of the group of mutants that began last, until it is asked for.
    begun_with: Option<u32>,
    /// The parents of groups to come, instead of its own choices.
    given: Option<VecDeque<u32>>,
    new: Vec<Reached>,
    scratch: Vec<u8>,
}

impl std::fmt::Debug for Guided {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Guided").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Guided {
    /// An engine that has kept nothing yet.
    #[must_use]
    pub fn new(fresh: Box<dyn TraceSource>, mutator: Mutator) -> Self {
        Guided {
            fresh,
            mutator,
            reach: Reach::default(),
            kept: Vec::new(),
            chosen: Vec::new(),
            group: None,
            is_fresh: true,
            begun_with: None,
            given: None,
            new: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes over a trace that was kept elsewhere.
    pub fn adopt(&mut self, kept: Kept) {
        self.reach.adopt(&kept.reached);
        self.kept.push(kept);
        self.chosen.push(0);
    }

    /// Notes what a trace reached and clears the map. Where that is new the trace is kept, and returned.
    pub fn learn(&mut self, wire: &[u8], map: &mut [u8; StateMap::SIZE]) -> Option<&Kept> {
        if !self.reach.note(map, &mut self.new) {
            return None;
        }
        self.kept.push(Kept { wire: wire.to_vec(), reached: self.new.clone() });
        self.chosen.push(0);
        self.kept.last()
    }

    /// The parent of a group of mutants, by its number among the kept traces, once after the trace that began the
    /// group. It was chosen by what subjects showed: stream and index do not say it.
    pub fn take_parent(&mut self) -> Option<u32> {
        self.begun_with.take()
    }

    /// Makes the traces of an engine that made these choices of parents, without a look at what they reach.
    pub fn follow(&mut self, parents: impl IntoIterator<Item = u32>) {
        self.given = Some(parents.into_iter().collect());
    }

    /// Keeps a trace, as the engine did that is followed.
    pub fn keep(&mut self, wire: &[u8]) {
        self.adopt(Kept { wire: wire.to_vec(), reached: Vec::new() });
    }

    /// The traces that were kept.
    #[must_use]
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The number of features that were reached.
    #[must_use]
    pub fn features(&self) -> usize {
        self.reach.features()
    }

    fn begin_group(&mut self, stream: u64, number: u64) {
        self.group = Some(number);
        let mut random = Random::new(mix(stream ^ OWN_STREAM, 2 * number + 1));
        self.is_fresh = self.kept.len() < ENOUGH || random.one_in(FRESH_ONE_IN);
        if self.is_fresh {
            return;
        }
        // It draws what follows, too, so it draws in any case.
        let chosen = self.parent(&mut random);
        let parent = match &mut self.given {
            Some(given) => given.pop_front().map_or(chosen, |parent| (parent as usize).min(self.kept.len() - 1)),
            None => chosen,
        };
        self.begun_with = u32::try_from(parent).ok();
        self.chosen[parent] += 1;
        let is_served = self.mutator.set_parent(&self.kept[parent].wire);
        if random.one_in(OTHER_SETUP_ONE_IN) || !is_served {
            self.fresh.write(stream, number * GROUP_TRACES, &mut self.scratch);
            self.mutator.set_setup_of(&self.scratch);
        }
    }

    /// A fresh trace, or one that was kept.
    fn choose_donor(&mut self, stream: u64, index: u64, random: &mut Random) {
        if random.one_in(2) {
            self.fresh.write(stream, index, &mut self.scratch);
            self.mutator.set_donor(&self.scratch);
        } else {
            #[allow(clippy::cast_possible_truncation)] // the corpus is small
            let donor = random.below(self.kept.len() as u32) as usize;
            self.mutator.set_donor(&self.kept[donor].wire);
        }
    }

    /// Of a few, the one that reached what is rarest and was chosen least.
    fn parent(&self, random: &mut Random) -> usize {
        #[allow(clippy::cast_possible_truncation)] // the corpus is small
        let competitors = (0..COMPETITORS).map(|_| random.below(self.kept.len() as u32) as usize);
        let cost = |&index: &usize| {
            u64::from(self.reach.rarest(&self.kept[index].reached)) * (1 + u64::from(self.chosen[index]))
        };
        competitors.min_by_key(cost).unwrap_or(0)
    }
}

impl TraceSource for Guided {
    fn write(&mut self, stream: u64, index: u64, wire: &mut Vec<u8>) {
        let number = index / GROUP_TRACES;
        let is_new_group = self.group != Some(number);
        if is_new_group {
            self.begin_group(stream, number);
        }
        if self.is_fresh {
            return self.fresh.write(stream, index, wire);
        }
        let mut random = Random::new(mix(stream ^ OWN_STREAM, 2 * index));
        if is_new_group || index.is_multiple_of(MUTANTS_OF_A_DONOR) {
            self.choose_donor(stream, index, &mut random);
        }
        self.mutator.mutate(&mut random, MAX_MUTANT_BYTES, wire);
    }
}
