//! An allocator whose requests to the system the setup's fault plan is about. The plan is in force within its calls, in
//! workers, and nowhere else: neither where it is made or looked at, nor in what the harness asks the system for.

use crate::allocator::{Allocator, Answer, Change, Get, Live};
use memtwin_models::heap::{Fault, HeapContract, Request, Setup};
use memtwin_models::{Health, Unsupported};
use memtwin_wild::requests::{self, Kind, Plan, within};

/// An allocator that asks the system for memory. There is one at a time in a process that refuses.
#[derive(Debug)]
pub struct Rationed<A: Allocator> {
    allocator: A,
    /// Whether the trace's setup has a plan.
    is_planned: bool,
}

impl<A: Allocator> Rationed<A> {
    /// The allocator at the start of a trace.
    #[must_use]
    pub fn over(allocator: A, setup: &Setup) -> Self {
        let mut rationed = Rationed { allocator, is_planned: false };
        rationed.begin(setup);
        rationed
    }

    fn begin(&mut self, setup: &Setup) {
        self.is_planned = setup.fault.is_some();
        if let Some(fault) = setup.fault {
            requests::begin(plan(fault));
        }
    }

    #[inline]
    fn call<R>(&mut self, call: impl FnOnce(&mut A) -> R) -> R {
        if self.is_planned { within(|| call(&mut self.allocator)) } else { call(&mut self.allocator) }
    }
}

fn plan(fault: Fault) -> Plan {
    let kind = match fault.request {
        Request::Map => Kind::Map,
        Request::Unmap => Kind::Unmap,
        Request::Advise => Kind::Advise,
    };
    let (first, last) = fault.refused().into_inner();
    Plan { kind, first, last }
}

impl<A: Allocator> Allocator for Rationed<A> {
    const NAME: &'static str = A::NAME;
    const HEALTH: Health = A::HEALTH;
    const CONTRACT: HeapContract = A::CONTRACT;
    const FREED_BEFORE_RESET: bool = A::FREED_BEFORE_RESET;
    const IS_SHARED: bool = A::IS_SHARED;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Rationed::over(A::new(setup)?, setup))
    }

    /// What a trace is refused must not be what the next one lacks.
    fn trace_ends(&mut self) {
        if self.is_planned {
            requests::end();
            self.is_planned = false;
        }
        self.allocator.trace_ends();
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.begin(setup);
        self.allocator.reset(setup)
    }

    #[inline]
    fn nominal(&self, block: *mut u8) -> u64 {
        self.allocator.nominal(block)
    }

    #[inline]
    fn can_touch(&self, block: *mut u8, bytes: usize) -> bool {
        self.allocator.can_touch(block, bytes)
    }

    #[inline]
    fn get(&mut self, call: Get) -> Answer {
        self.call(|allocator| allocator.get(call))
    }

    #[inline]
    unsafe fn change(&mut self, live: Live, call: Change) -> Answer {
        // SAFETY: the caller's promises are those of this function.
        self.call(|allocator| unsafe { allocator.change(live, call) })
    }

    #[inline]
    unsafe fn free(&mut self, live: Live) {
        // SAFETY: the caller's promises are those of this function.
        self.call(|allocator| unsafe { allocator.free(live) });
    }

    fn free_null(&mut self) -> bool {
        self.call(A::free_null)
    }

    #[inline]
    fn errno(&self) -> Option<i32> {
        self.allocator.errno()
    }

    #[inline]
    fn errno_after_free(&self) -> Option<i32> {
        self.allocator.errno_after_free()
    }

    fn usable_size(&mut self, live: Live) -> Option<usize> {
        self.call(|allocator| allocator.usable_size(live))
    }

    fn extend(&mut self, setup: &Setup, bytes: usize) -> Option<bool> {
        self.allocator.extend(setup, bytes)
    }

    fn add_region(&mut self, setup: &Setup) -> Option<bool> {
        self.allocator.add_region(setup)
    }

    #[inline]
    fn stray_byte(&self, everywhere: bool) -> Option<u64> {
        self.allocator.stray_byte(everywhere)
    }

    fn trim(&mut self) {
        self.call(A::trim);
    }

    fn live_blocks(&self) -> Option<u64> {
        self.allocator.live_blocks()
    }

    fn held_bytes(&self) -> Option<u64> {
        self.allocator.held_bytes()
    }

    #[inline]
    fn take_refusal(&mut self) -> bool {
        self.is_planned && requests::take_refusal()
    }

    fn thread_exits(&self) {
        if self.is_planned { within(|| self.allocator.thread_exits()) } else { self.allocator.thread_exits() }
    }
}
