//! Extra counters: bytes in a section of the program that libFuzzer reads as it reads the counters of edges. It clears
//! them before each input.

use memtwin_models::StateMap;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The counters. A fuzz target has one static of this type in the section `__libfuzzer_extra_counters`, and nothing
/// else there: `libfuzzer_target!` makes it.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct ExtraCounters(UnsafeCell<[u8; StateMap::SIZE]>);

static CLAIMED: AtomicBool = AtomicBool::new(false);

// SAFETY: `claim` lends the bytes once a process; libFuzzer touches them between inputs only, on the thread that runs
// them.
unsafe impl Sync for ExtraCounters {}

impl ExtraCounters {
    /// Counters that are all zero.
    #[must_use]
    #[allow(clippy::new_without_default)] // made in statics only
    pub const fn new() -> Self {
        ExtraCounters(UnsafeCell::new([0; StateMap::SIZE]))
    }

    /// The bytes, for the first who asks.
    #[must_use]
    #[allow(clippy::mut_from_ref)] // lent once: see below
    pub fn claim(&'static self) -> Option<&'static mut [u8; StateMap::SIZE]> {
        // SAFETY: the flag is taken once, so this is the only reference for the life of the process.
        (!CLAIMED.swap(true, Ordering::Relaxed)).then(|| unsafe { &mut *self.0.get() })
    }
}
