//! What a fault handler must know of threads that take turns: whose turn it is, and where each of them has its stack.
//! Plain numbers, fit for a signal handler. A process has one trace at a time where it has such a handler; the last one
//! counts.

use memtwin_models::{Lane, MOST_LANES};
use std::ops::Range;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// The thread whose turn it is; 0 where it is the first one's.
static RUNNING: AtomicI32 = AtomicI32::new(0);
/// The stacks, by lane.
static STACKS: [Stack; MOST_LANES as usize] = [const { Stack::none() }; MOST_LANES as usize];

/// A thread, and where its stack lies, with the gap below it.
struct Stack {
    thread: AtomicI32,
    low: AtomicU64,
    high: AtomicU64,
}

impl Stack {
    const fn none() -> Self {
        Stack { thread: AtomicI32::new(0), low: AtomicU64::new(0), high: AtomicU64::new(0) }
    }
}

/// Puts this thread on record; returns its number.
pub(super) fn enter(lane: Lane, stack: Range<u64>) -> i32 {
    let thread = this_thread();
    let record = &STACKS[lane.index()];
    record.low.store(stack.start, Ordering::Relaxed);
    record.high.store(stack.end, Ordering::Relaxed);
    record.thread.store(thread, Ordering::Release);
    thread
}

/// The thread of a lane has ended.
pub(super) fn leave(lane: Lane) {
    STACKS[lane.index()].thread.store(0, Ordering::Release);
}

/// It is this thread's turn; 0 stands for the first.
pub(super) fn set_running(thread: i32) {
    RUNNING.store(thread, Ordering::Relaxed);
}

/// The thread whose turn it is, where that is not the one that asks.
pub(crate) fn is_anothers_turn() -> Option<i32> {
    let running = RUNNING.load(Ordering::Relaxed);
    (running != 0 && running != this_thread()).then_some(running)
}

/// Where this thread has its stack, if it is one of those that take turns and not the first.
pub(crate) fn stack_of_this_thread() -> Option<Range<u64>> {
    let this = this_thread();
    let record = STACKS.iter().find(|record| record.thread.load(Ordering::Acquire) == this)?;
    Some(record.low.load(Ordering::Relaxed)..record.high.load(Ordering::Relaxed))
}

fn this_thread() -> i32 {
    nix::unistd::gettid().as_raw()
}
