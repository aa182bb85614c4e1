//! The ledger: results of epochs, merged in the order of their numbers, so that the number of workers shows in nothing but
//! the time.

use super::epoch::{EpochResult, Found};
use super::files::Filed;
use super::queue::round_end;
use super::run_file::{Finding, RunFile, SubjectRun, Totals, outcome_table, shortfalls};
use super::{CampaignError, Plan, Task};
use crate::feedback::{Kept, Reach};
use crate::finding::Signature;
use crate::lockstep::COUNTS;
use crate::registry::Registry;
use memtwin_models::{Health, StateMap};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The results so far.
#[derive(Debug)]
pub(super) struct Ledger {
    books: BTreeMap<usize, Book>,
}

/// The results of one target.
#[derive(Debug)]
struct Book {
    is_sound: bool,
    epochs: BTreeMap<u64, EpochResult>,
    /// Epochs before this one are summed up.
    next: u64,
    summed: Sum,
    keep: Keep,
}

/// What the guided engine kept, for the epochs of the next round.
#[derive(Debug, Default)]
struct Keep {
    reach: Reach,
    shared: Arc<Vec<Kept>>,
    /// What the epochs of this round kept, in their order.
    waiting: Vec<Kept>,
}

impl Keep {
    /// The round is over: what is still new is shared.
    fn share(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let reach = &mut self.reach;
        let new = waiting.into_iter().filter(|kept| reach.adopt(&kept.reached));
        Arc::make_mut(&mut self.shared).extend(new);
    }
}

#[derive(Debug)]
struct Sum {
    traces: u64,
    ops: u64,
    moot: u64,
    unsupported: u64,
    unconfirmed: u64,
    seconds: f64,
    outcomes: [u64; COUNTS],
    features: Box<[u8; StateMap::SIZE]>,
    found: Vec<Found>,
}

impl Ledger {
    pub(super) fn new(registry: &Registry, plan: &Plan) -> Self {
        let book = |&target: &usize| {
            let is_sound = registry.get(target).is_some_and(crate::target::Target::is_sound);
            (target, Book { is_sound, epochs: BTreeMap::new(), next: 0, summed: Sum::new(), keep: Keep::default() })
        };
        Ledger { books: plan.targets.iter().map(book).collect() }
    }

    /// The trace that an earlier epoch filed for this signature.
    pub(super) fn earlier(&self, task: &Task, signature: &Signature) -> Option<Filed> {
        let book = self.books.get(&task.target)?;
        let waiting = book.epochs.range(..task.epoch).flat_map(|(_, result)| &result.found);
        let mut found = book.summed.found.iter().chain(waiting);
        found.find(|found| found.signature == *signature).map(|found| found.filed.clone())
    }

    /// What the target's epochs start from.
    pub(super) fn kept(&self, task: &Task) -> Arc<Vec<Kept>> {
        self.books.get(&task.target).map_or_else(Arc::default, |book| Arc::clone(&book.keep.shared))
    }

    /// Enters an epoch's result; says whether the target needs no more.
    pub(super) fn enter(&mut self, task: &Task, result: EpochResult) -> bool {
        let Some(book) = self.books.get_mut(&task.target) else { return true };
        book.epochs.insert(task.epoch, result);
        while let Some(mut result) = book.epochs.remove(&book.next) {
            book.keep.waiting.append(&mut result.kept);
            if round_end(book.next) == book.next + 1 {
                book.keep.share();
            }
            book.next += 1;
            if book.is_sound || book.summed.found.is_empty() {
                book.summed.add(result);
            }
        }
        !book.is_sound && !book.summed.found.is_empty()
    }

    /// The run file. Findings are filed again where a later epoch was quicker to file the same signature.
    pub(super) fn finish(self, registry: &Registry, plan: &Plan) -> Result<RunFile, CampaignError> {
        let mut subjects = Vec::new();
        for (index, mut book) in self.books {
            // After an interrupt some epochs may be missing; what the later ones found still counts.
            for result in std::mem::take(&mut book.epochs).into_values() {
                book.summed.add(result);
            }
            let Some(target) = registry.get(index) else { continue };
            let sum = book.summed;
            for found in &sum.found {
                super::files::file_finding(&plan.out, target, &found.filed.wire, &found.signature)?;
            }
            let (health, defect) = match target.health() {
                Health::Sound => ("sound", None),
                Health::Broken { defect, .. } => ("broken", defect.map(str::to_owned)),
            };
            let verdict = match (book.is_sound, sum.found.is_empty()) {
                (true, true) => "agreed",
                (true, false) => "diverged",
                (false, true) => "missed",
                (false, false) => "caught",
            };
            let shortfalls = if book.is_sound {
                shortfalls(target, &sum.outcomes, sum.ops, sum.traces, sum.moot, sum.unconfirmed)
            } else {
                Vec::new()
            };
            subjects.push(SubjectRun {
                component: target.dialect().name().to_owned(),
                subject: target.subject().to_owned(),
                health: health.to_owned(),
                defect,
                verdict: verdict.to_owned(),
                traces: sum.traces,
                ops: sum.ops,
                moot: sum.moot,
                unsupported: sum.unsupported,
                unconfirmed: sum.unconfirmed,
                seconds: sum.seconds,
                features: sum.features.iter().filter(|&&count| count != 0).count(),
                outcomes: outcome_table(target, &sum.outcomes),
                shortfalls,
                findings: sum.found.iter().map(|found| Finding::new(target, found)).collect(),
            });
        }
        Ok(RunFile {
            schema: super::run_file::SCHEMA.to_owned(),
            seed: plan.seed,
            totals: Totals::of(&subjects),
            subjects,
        })
    }
}

impl Sum {
    fn new() -> Self {
        Sum {
            traces: 0,
            ops: 0,
            moot: 0,
            unsupported: 0,
            unconfirmed: 0,
            seconds: 0.0,
            outcomes: [0; COUNTS],
            features: Box::new([0; StateMap::SIZE]),
            found: Vec::new(),
        }
    }

    fn add(&mut self, result: EpochResult) {
        for found in result.found {
            if self.found.iter().all(|known| known.signature != found.signature) {
                self.found.push(Found {
                    executions: self.traces + found.executions,
                    ops: self.ops + found.ops,
                    seconds: self.seconds + found.seconds,
                    ..found
                });
            }
        }
        let counts = result.counts;
        self.traces += counts.traces;
        self.ops += counts.ops;
        self.moot += counts.moot;
        self.unsupported += counts.unsupported;
        self.unconfirmed += result.unconfirmed;
        self.seconds += result.seconds;
        for (sum, count) in self.outcomes.iter_mut().zip(counts.outcomes) {
            *sum += count;
        }
        for (sum, count) in self.features.iter_mut().zip(counts.features.iter()) {
            *sum = sum.saturating_add(*count);
        }
    }
}
