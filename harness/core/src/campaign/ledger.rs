//! The ledger: results of epochs, merged in the order of their numbers, so that the number of workers shows in nothing
//! but the time.

use super::files::Filed;
use super::queue::round_end;
use super::result::{EpochResult, Found};
use super::run_file::{Finding, RunFile, SubjectRun, Verdict, outcome_table, shortfalls};
use super::tally::Sum;
use super::{Budget, CampaignError, Plan, Shard, Task};
use crate::feedback::{Kept, Reach};
use crate::finding::Signature;
use crate::isolate::kept_bytes;
use crate::registry::Registry;
use crate::run_file::{Kind, KnownSteps};
use memtwin_models::Health;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most bytes of traces that a target's epochs start from.
const START_BYTES: usize = 4 << 20;

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
    /// What was told of epochs that an earlier run did not finish.
    told: Vec<Found>,
}

/// What the guided engine kept, for the epochs of the next round.
#[derive(Debug, Default)]
struct Keep {
    reach: Reach,
    /// What workers start from, in the order in which it was found; at most [`START_BYTES`].
    shared: Arc<Vec<Kept>>,
    shared_bytes: usize,
    /// What the epochs of this round added, in their order.
    waiting: Vec<Kept>,
}

impl Keep {
    /// Leaves what reaches something that nothing before did.
    fn filter(&mut self, kept: &mut Vec<Kept>) {
        kept.retain(|kept| self.reach.adopt(&kept.reached));
    }

    /// The round is over: what waited is shared, and returned.
    fn share(&mut self) -> Vec<Kept> {
        let new = std::mem::take(&mut self.waiting);
        let shared = Arc::make_mut(&mut self.shared);
        for kept in &new {
            self.shared_bytes = self.shared_bytes.saturating_add(kept_bytes(kept));
            if self.shared_bytes <= START_BYTES {
                shared.push(kept.clone());
            }
        }
        new
    }
}

/// What came of entering a result.
#[derive(Debug, Default)]
pub(super) struct Entered {
    /// Whether the target needs no more epochs.
    pub(super) needs_no_more: bool,
    /// What is kept from now on.
    pub(super) new: Vec<Kept>,
}

impl Ledger {
    pub(super) fn new(registry: &Registry, plan: &Plan) -> Self {
        let book = |&target: &usize| {
            let is_sound = registry.get(target).is_some_and(crate::target::Target::is_sound);
            let (epochs, summed, keep) =
                (BTreeMap::new(), Sum::new(!matches!(plan.budget, Budget::Ops(_))), Keep::default());
            (target, Book { is_sound, epochs, next: 0, summed, keep, told: Vec::new() })
        };
        Ledger { books: plan.targets.iter().map(book).collect() }
    }

    /// The trace that an earlier epoch filed for this signature.
    pub(super) fn earlier(&self, task: &Task, signature: &Signature) -> Option<Filed> {
        let book = self.books.get(&task.target)?;
        let waiting = book.epochs.range(..task.own).flat_map(|(_, result)| &result.found);
        let mut found = book.summed.found.iter().chain(waiting);
        found.find(|found| found.signature == *signature).map(|found| found.filed.clone())
    }

    /// What the target's epochs start from.
    pub(super) fn kept(&self, task: &Task) -> Arc<Vec<Kept>> {
        self.books.get(&task.target).map_or_else(Arc::default, |book| Arc::clone(&book.keep.shared))
    }

    /// Enters what a corpus showed before the first epoch.
    pub(super) fn open(&mut self, target: usize, mut opening: EpochResult) {
        let Some(book) = self.books.get_mut(&target) else { return };
        book.keep.waiting = std::mem::take(&mut opening.kept);
        book.keep.waiting.iter().for_each(|kept| {
            book.keep.reach.adopt(&kept.reached);
        });
        // What comes from the corpus need not be added to it.
        book.keep.share();
        book.summed.add(opening);
    }

    /// Notes what was told of an epoch that may not have come to its end.
    pub(super) fn note_told(&mut self, target: usize, found: Found) {
        if let Some(book) = self.books.get_mut(&target) {
            book.told.push(found);
        }
    }

    /// Enters the result of the epoch with this number in the shard. What of it must be logged is shown to `log` first:
    /// of an epoch that is next in line not what earlier ones have kept already.
    pub(super) fn enter(
        &mut self,
        target: usize,
        own: u64,
        mut result: EpochResult,
        log: impl FnOnce(&EpochResult) -> Result<(), CampaignError>,
    ) -> Result<Entered, CampaignError> {
        let Some(book) = self.books.get_mut(&target) else { return Ok(Entered::default()) };
        if own != book.next {
            log(&result)?;
            book.epochs.insert(own, result);
            return Ok(Entered::default());
        }
        book.keep.filter(&mut result.kept);
        log(&result)?;
        let mut new = book.sum_up(result);
        while let Some(mut result) = book.epochs.remove(&book.next) {
            book.keep.filter(&mut result.kept);
            new.append(&mut book.sum_up(result));
        }
        Ok(Entered { needs_no_more: book.needs_no_more(), new })
    }

    /// What is kept of each target although its round is not over: for the end of a campaign.
    pub(super) fn unshared(&mut self) -> Vec<(usize, Vec<Kept>)> {
        let share = |(&target, book): (&usize, &mut Book)| {
            let left: Vec<Kept> =
                book.epochs.values_mut().flat_map(|result| std::mem::take(&mut result.kept)).collect();
            book.keep.waiting.extend(left);
            (target, book.keep.share())
        };
        self.books.iter_mut().map(share).collect()
    }

    /// The run file. Findings are filed again where a later epoch was quicker to file the same signature.
    pub(super) fn finish(self, registry: &Registry, plan: &Plan) -> Result<RunFile, CampaignError> {
        let mut subjects = Vec::new();
        for (index, mut book) in self.books {
            // After an interrupt some epochs may be missing; what the later ones found still counts.
            for result in std::mem::take(&mut book.epochs).into_values() {
                book.summed.add(result);
            }
            if !book.needs_no_more() {
                std::mem::take(&mut book.told).into_iter().for_each(|found| book.summed.find(found));
            }
            let Some(target) = registry.get(index) else { continue };
            let sum = book.summed;
            for found in &sum.found {
                found.filed.again(&plan.out, target, &found.signature)?;
                found.shapes.iter().try_for_each(|shape| shape.write(target, &found.signature))?;
            }
            let (health, defect) = match target.health() {
                Health::Sound => ("sound", None),
                Health::Broken { defect, .. } => ("broken", defect.map(str::to_owned)),
            };
            let known_steps = known_steps(plan, index, &sum);
            let verdict = match (book.is_sound, sum.found.is_empty()) {
                (true, true) if !known_steps.is_empty() => Verdict::Known,
                (true, true) => Verdict::Agreed,
                (true, false) => Verdict::Diverged,
                (false, true) => Verdict::Missed,
                (false, false) => Verdict::Caught,
            };
            let shortfalls = if book.is_sound { shortfalls(target, &sum, &plan.out) } else { Vec::new() };
            subjects.push(SubjectRun {
                component: target.dialect().name().to_owned(),
                subject: target.subject().to_owned(),
                health: health.to_owned(),
                defect,
                verdict,
                traces: sum.traces,
                ops: sum.ops,
                moot: sum.moot,
                unsupported: sum.unsupported,
                rebuilt: Some(sum.rebuilt),
                unconfirmed: sum.unconfirmed,
                not_judged: sum.not_judged,
                seconds: sum.seconds,
                features: sum.features.len(),
                outcomes: outcome_table(target, &sum.outcomes),
                shortfalls,
                known_steps,
                findings: sum.found.iter().map(|found| Finding::new(target, found)).collect(),
                growth: sum.growth,
            });
        }
        let run = RunFile::new(Kind::Fuzz, plan.seed, subjects, Vec::new());
        let shard = (plan.shard != Shard::WHOLE).then(|| plan.shard.into());
        Ok(RunFile { engine: Some(plan.engine.to_string()), strict: plan.strict, shard, ..run })
    }
}

/// The accepted signatures that were met.
fn known_steps(plan: &Plan, target: usize, sum: &Sum) -> Vec<KnownSteps> {
    let accepted = plan.accepted(target);
    let met = accepted.signatures().iter().zip(sum.accepted_steps).filter(|(_, steps)| 0 < *steps);
    met.map(|(signature, steps)| KnownSteps { signature: signature.clone(), steps, reason: None }).collect()
}

impl Book {
    /// Sums up the next epoch; returns what is shared now.
    fn sum_up(&mut self, mut result: EpochResult) -> Vec<Kept> {
        self.keep.waiting.append(&mut result.kept);
        let is_round_over = round_end(self.next) == self.next + 1;
        self.next += 1;
        if !self.needs_no_more() {
            self.summed.add(result);
        }
        if is_round_over { self.keep.share() } else { Vec::new() }
    }

    fn needs_no_more(&self) -> bool {
        !self.is_sound && !self.summed.found.is_empty()
    }
}
