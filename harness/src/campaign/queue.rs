//! The epochs that are left, and who gets the next. Broken subjects come first and one epoch at a time, for each ends at its
//! first catch; sound ones take turns. It runs nothing.

use super::{Budget, Plan};
use crate::isolate::monotonic_nanoseconds;
use crate::registry::Registry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ops of an epoch of a sound subject with an op budget: long enough that the fork does not count.
const SOUND_EPOCH_OPS: u64 = 4_000_000;
/// Ops of an epoch of a Broken subject: it ends at the first catch anyway.
const BROKEN_EPOCH_OPS: u64 = 1_000_000;
/// The length of an epoch with a time budget.
const TIMED_EPOCH: Duration = Duration::from_millis(400);
/// Epochs of the first round, and of the longest. What a round kept is shared when all of it is done, so that the number of
/// workers shows in nothing but the time; rounds grow, because ever less is new.
const FIRST_ROUND: u64 = 8;
const LONGEST_ROUND: u64 = 64;
/// How often a waiting worker looks whether the campaign was interrupted.
const INTERRUPT_CHECK: Duration = Duration::from_millis(50);

/// One epoch of one target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) target: usize,
    pub(super) epoch: u64,
    pub(super) ops_budget: u64,
    pub(super) deadline_nanoseconds: u64,
}

/// The epochs that are left.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told whenever an epoch is given back.
    changed: Condvar,
    counts_ops: bool,
    deadline_nanoseconds: u64,
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
    next_epoch: u64,
    ops_left: u64,
    running: u32,
    done: u64,
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
    pub(super) fn new(registry: &Registry, plan: &Plan) -> Self {
        let (ops, deadline_nanoseconds) = match plan.budget {
            Budget::Ops(ops) => (ops, u64::MAX),
            Budget::Time(time) => (u64::MAX, monotonic_nanoseconds().saturating_add(nanoseconds(time))),
            Budget::Endless => (u64::MAX, u64::MAX),
        };
        let line = |&target: &usize| {
            let is_sound = registry.get(target).is_some_and(crate::target::Target::is_sound);
            Line { target, is_sound, next_epoch: 0, ops_left: ops, running: 0, done: 0 }
        };
        Queue {
            state: Mutex::new(State { lines: plan.targets.iter().map(line).collect(), turn: 0 }),
            changed: Condvar::new(),
            counts_ops: matches!(plan.budget, Budget::Ops(_)),
            deadline_nanoseconds,
        }
    }

    /// The next epoch; `None` when there is none left, the time is up, or the campaign was interrupted. Waits where a
    /// subject that is being run may still need another.
    pub(super) fn next(&self, interrupted: &AtomicBool) -> Option<Task> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !interrupted.load(Ordering::Relaxed) && monotonic_nanoseconds() < self.deadline_nanoseconds {
            if let Some(index) = state.choose() {
                return Some(self.take(&mut state.lines[index]));
            }
            if !state.lines.iter().any(|line| 0 < line.running && 0 < line.ops_left) {
                return None;
            }
            let waited = self.changed.wait_timeout(state, INTERRUPT_CHECK).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        None
    }

    fn take(&self, line: &mut Line) -> Task {
        let (epoch_ops, deadline_nanoseconds) = match (self.counts_ops, line.is_sound) {
            (true, true) => (SOUND_EPOCH_OPS, u64::MAX),
            (true, false) => (BROKEN_EPOCH_OPS, u64::MAX),
            (false, _) => {
                let end = monotonic_nanoseconds().saturating_add(nanoseconds(TIMED_EPOCH));
                (u64::MAX, end.min(self.deadline_nanoseconds))
            }
        };
        let task = Task {
            target: line.target,
            epoch: line.next_epoch,
            ops_budget: epoch_ops.min(line.ops_left),
            deadline_nanoseconds,
        };
        line.next_epoch += 1;
        if self.counts_ops {
            line.ops_left -= task.ops_budget;
        }
        line.running += 1;
        task
    }

    /// An epoch has been run; whether its target needs no more.
    pub(super) fn give_back(&self, task: &Task, needs_no_more: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = state.lines.iter_mut().find(|line| line.target == task.target) {
            line.running -= 1;
            line.done += 1;
            if needs_no_more {
                line.ops_left = 0;
            }
        }
        self.changed.notify_all();
    }
}

impl State {
    /// The line whose turn it is.
    fn choose(&mut self) -> Option<usize> {
        let count = self.lines.len();
        let is_idle = |line: &Line| {
            0 < line.ops_left && (line.is_sound || line.running == 0) && line.next_epoch < round_end(line.done)
        };
        let broken = self.lines.iter().position(|line| !line.is_sound && is_idle(line));
        let turns = (0..count).map(|step| (self.turn + step) % count);
        let sound = turns.into_iter().find(|&index| self.lines[index].is_sound && is_idle(&self.lines[index]));
        let index = broken.or(sound)?;
        self.turn = index + 1;
        Some(index)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
