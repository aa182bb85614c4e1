//! The epochs that are left, and who gets the next. Broken subjects come first and one epoch at a time, for each ends
//! at its first catch; sound ones take turns. It runs nothing.

use super::{Budget, Plan, Shard};
use crate::isolate::monotonic_nanoseconds;
use crate::registry::Registry;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ops of an epoch of a sound subject with an op budget: long enough that the fork does not count.
const SOUND_EPOCH_OPS: u64 = 4_000_000;
/// Ops of an epoch of a Broken subject: it ends at the first catch anyway.
const BROKEN_EPOCH_OPS: u64 = 1_000_000;
/// The length of an epoch with a time budget in the first round; doubled with each round, for ever less is new, up to
/// The least that the first epoch of a sound subject has, also if the time is up then.
const LEAST_TURN: Duration = Duration::from_millis(100);
/// the longest.
const TIMED_EPOCH: Duration = Duration::from_millis(400);
const LONGEST_TIMED_EPOCH: Duration = Duration::from_secs(6);
/// Epochs of the first round, and of the longest. What a round kept is shared when all of it is done, so that the
/// number of workers shows in nothing but the time; rounds grow, because ever less is new.
const FIRST_ROUND: u64 = 8;
const LONGEST_ROUND: u64 = 64;
/// How often a waiting worker looks whether the campaign was interrupted.
const INTERRUPT_CHECK: Duration = Duration::from_millis(50);

/// What was found is shrunk for at most this part of the campaign's time after its end.
const OVERTIME: u32 = 5;

/// One epoch of one target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) target: usize,
    /// The epoch's number in the whole campaign: it seeds the traces.
    pub(super) epoch: u64,
    /// Its number among those of this shard, without gaps.
    pub(super) own: u64,
    pub(super) ops_budget: u64,
    pub(super) deadline_nanoseconds: u64,
    /// The campaign ends no later, whatever is left to shrink.
    pub(super) latest_nanoseconds: u64,
}

/// The epochs that are left.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told whenever an epoch is given back.
    changed: Condvar,
    /// The ops of each target, in all shards; `None` where time counts.
    ops: Option<u64>,
    shard: Shard,
    deadline_nanoseconds: u64,
    latest_nanoseconds: u64,
}

#[derive(Debug)]
struct State {
    lines: Vec<Line>,
    /// Where the next search for a sound subject begins, so that they take turns.
    turn: usize,
}

/// The epochs of one target.
#[derive(Debug)]
struct Line {
    target: usize,
    is_sound: bool,
    /// The next epoch, by its number in this shard.
    next: u64,
    /// Epochs that an earlier run of this campaign has done.
    past: BTreeSet<u64>,
    needs_no_more: bool,
    running: u32,
    /// The first epoch that is not done, and those after it that are. Where lines of a log are damaged there are gaps.
    first_left: u64,
    done: BTreeSet<u64>,
}

/// The first epoch of the round after the one that this epoch belongs to.
pub(super) fn round_end(epoch: u64) -> u64 {
    let (mut end, mut length) = (FIRST_ROUND, FIRST_ROUND);
    while end <= epoch {
        length = (2 * length).min(LONGEST_ROUND);
        end += length;
    }
    end
}

impl Queue {
    /// What is left after the epochs of `past`, pairs of a target and a number in this shard, and after the time they
    /// took.
    pub(super) fn new(registry: &Registry, plan: &Plan, past: &BTreeSet<(usize, u64)>, elapsed: Duration) -> Self {
        let (ops, deadline_nanoseconds) = match plan.budget {
            Budget::Ops(ops) => (Some(ops), u64::MAX),
            Budget::Time(time) => {
                (None, monotonic_nanoseconds().saturating_add(nanoseconds(time.saturating_sub(elapsed))))
            }
            Budget::Endless => (None, u64::MAX),
        };
        let line = |&target: &usize| {
            let is_sound = registry.get(target).is_some_and(crate::target::Target::is_sound);
            let past: BTreeSet<u64> = past.range((target, 0)..=(target, u64::MAX)).map(|&(_, own)| own).collect();
            let done = past.clone();
            let mut line =
                Line { target, is_sound, next: 0, past, needs_no_more: false, running: 0, first_left: 0, done };
            line.pass_done();
            line
        };
        Queue {
            state: Mutex::new(State { lines: plan.targets.iter().map(line).collect(), turn: 0 }),
            changed: Condvar::new(),
            ops,
            shard: plan.shard,
            deadline_nanoseconds,
            latest_nanoseconds: match plan.budget {
                Budget::Time(time) => deadline_nanoseconds.saturating_add(nanoseconds(time / OVERTIME)),
                Budget::Ops(_) | Budget::Endless => u64::MAX,
            },
        }
    }

    /// This target needs no more.
    pub(super) fn close(&self, target: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines.iter_mut().filter(|line| line.target == target).for_each(|line| line.needs_no_more = true);
    }

    /// The next epoch; `None` when there is none left, the time is up, or the campaign was interrupted. Waits where a
    /// subject that is being run may still need another. A sound subject that had no turn before the time was up has a
    /// short one after it: what was asked for is never passed over.
    pub(super) fn next(&self, interrupted: &AtomicBool) -> Option<Task> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !interrupted.load(Ordering::Relaxed) {
            if self.deadline_nanoseconds <= monotonic_nanoseconds() {
                let index = state.lines.iter().position(|line| line.has_had_no_turn() && self.has_epoch(line))?;
                return self.take(&mut state.lines[index]);
            }
            if let Some(index) = state.choose(self) {
                return self.take(&mut state.lines[index]);
            }
            if !state.lines.iter().any(|line| 0 < line.running && self.has_epoch(line)) {
                return None;
            }
            let waited = self.changed.wait_timeout(state, INTERRUPT_CHECK).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        None
    }

    /// The line's next epoch in the whole campaign, and its ops; nothing when the budget is used up. A Broken subject
    /// has all its epochs in one shard.
    fn epoch(&self, line: &Line) -> Option<(u64, u64)> {
        if line.needs_no_more {
            return None;
        }
        let epoch = if line.is_sound { self.shard.epoch(line.next)? } else { line.next };
        let Some(ops) = self.ops else { return Some((epoch, u64::MAX)) };
        let most = if line.is_sound { SOUND_EPOCH_OPS } else { BROKEN_EPOCH_OPS };
        let ops = ops.saturating_sub(epoch.saturating_mul(most)).min(most);
        (0 < ops).then_some((epoch, ops))
    }

    fn has_epoch(&self, line: &Line) -> bool {
        self.epoch(line).is_some()
    }

    /// Whether no target has an epoch in the shard.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !state.lines.iter().any(|line| self.has_epoch(line))
    }

    fn take(&self, line: &mut Line) -> Option<Task> {
        let (epoch, ops_budget) = self.epoch(line)?;
        let deadline_nanoseconds = if self.ops.is_some() {
            u64::MAX
        } else {
            let now = monotonic_nanoseconds();
            let end = now.saturating_add(nanoseconds(timed_epoch(line.next))).min(self.deadline_nanoseconds);
            let least = if line.has_had_no_turn() { LEAST_TURN } else { Duration::ZERO };
            end.max(now.saturating_add(nanoseconds(least)))
        };
        let latest_nanoseconds = self.latest_nanoseconds;
        let (target, own) = (line.target, line.next);
        let task = Task { target, epoch, own, ops_budget, deadline_nanoseconds, latest_nanoseconds };
        line.next += 1;
        line.running += 1;
        Some(task)
    }

    /// An epoch has been run; whether its target needs no more.
    pub(super) fn give_back(&self, task: &Task, needs_no_more: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = state.lines.iter_mut().find(|line| line.target == task.target) {
            line.running -= 1;
            line.done.insert(task.own);
            line.pass_done();
            line.needs_no_more |= needs_no_more;
        }
        self.changed.notify_all();
    }
}

impl Line {
    /// Whether it is a sound subject's and no epoch of it was begun, in this run or an earlier one.
    fn has_had_no_turn(&self) -> bool {
        self.is_sound && self.next == 0 && self.past.is_empty() && self.first_left == 0
    }

    fn pass_done(&mut self) {
        while self.done.remove(&self.first_left) {
            self.first_left += 1;
        }
    }
}

impl State {
    /// The line whose turn it is.
    fn choose(&mut self, queue: &Queue) -> Option<usize> {
        for line in &mut self.lines {
            while line.past.remove(&line.next) {
                line.next += 1;
            }
        }
        let count = self.lines.len();
        let is_idle = |line: &Line| {
            queue.has_epoch(line) && (line.is_sound || line.running == 0) && line.next < round_end(line.first_left)
        };
        let broken = self.lines.iter().position(|line| !line.is_sound && is_idle(line));
        let turns = (0..count).map(|step| (self.turn + step) % count);
        let sound = turns.into_iter().find(|&index| self.lines[index].is_sound && is_idle(&self.lines[index]));
        let index = broken.or(sound)?;
        self.turn = index + 1;
        Some(index)
    }
}

/// The length of a shard's epoch where time counts.
fn timed_epoch(own: u64) -> Duration {
    let (mut length, mut end) = (TIMED_EPOCH, round_end(0));
    while end <= own && length < LONGEST_TIMED_EPOCH {
        length *= 2;
        end = round_end(end);
    }
    length.min(LONGEST_TIMED_EPOCH)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::guest_memory::{GuestMemory, GuestMemoryContract, Op, Outcome, Setup};
    use memtwin_models::{Contract as _, Health, Row, Subject, Unsupported};
    use std::path::Path;

    struct Silent;

    impl Subject<GuestMemory> for Silent {
        const NAME: &'static str = "silent";
        const HEALTH: Health = Health::Sound;
        const CONTRACT: GuestMemoryContract = GuestMemoryContract::STRICT;

        fn new(_setup: &Setup) -> Result<Self, Unsupported> {
            Ok(Silent)
        }

        fn apply(&mut self, _op: &Op, _seen: &mut Outcome) {}
    }

    /// A round starts from what all rounds before it kept, so it waits for an epoch of theirs whose line was damaged.
    #[test]
    fn no_epoch_begins_before_all_rounds_before_its_own_are_done() {
        let registry = Registry::new().with(Row::<GuestMemory>::of::<Silent>());
        let plan = Plan::new(vec![0], 1, Budget::Ops(u64::MAX), Path::new("."));
        let past: BTreeSet<(usize, u64)> = (0..30).filter(|own| ![3, 20].contains(own)).map(|own| (0, own)).collect();
        let queue = Queue::new(&registry, &plan, &past, Duration::ZERO);
        let next = || {
            let mut state = queue.state.lock().unwrap();
            let line = state.choose(&queue)?;
            queue.take(&mut state.lines[line])
        };
        let first = next().unwrap();
        assert_eq!((first.own, next().map(|task| task.own)), (3, None), "20 belongs to a later round");
        queue.give_back(&first, false);
        let second = next().unwrap();
        assert_eq!(second.own, 20);
        queue.give_back(&second, false);
        // 24 to 29 are done, and the third round ends with 55.
        let mut rest = Vec::new();
        while let Some(task) = next() {
            rest.push(task.own);
        }
        assert_eq!(rest, (30..56).collect::<Vec<_>>());
    }

    /// On a slow machine the time may be up before each subject had a turn.
    #[test]
    fn a_sound_subject_that_had_no_turn_has_a_short_one_when_the_time_is_up() {
        let row = || Row { name: "other", ..Row::<GuestMemory>::of::<Silent>() };
        let registry = Registry::new().with(Row::<GuestMemory>::of::<Silent>()).with(row());
        let plan = Plan::new(vec![0, 1], 1, Budget::Time(Duration::ZERO), Path::new("."));
        let past = BTreeSet::from([(0, 0)]);
        let queue = Queue::new(&registry, &plan, &past, Duration::ZERO);
        let next = || queue.next(&AtomicBool::new(false));
        let late = next().unwrap();
        let left = Duration::from_nanos(late.deadline_nanoseconds.saturating_sub(monotonic_nanoseconds()));
        assert!((late.target, late.own) == (1, 0) && left <= LEAST_TURN, "{late:?}");
        assert!(next().is_none(), "the other one had its turn in an earlier run");
    }
}
