//! The hardened allocator as a program's global allocator, in front of the system's, as under `LD_PRELOAD`: what it has
//! no room for the system serves, and at each `free` the allocator must find out from the bare pointer whose block it
//! is. What the fuzzers put to the test serves here, unchanged, behind a lock. Does not serve more than the few blocks
//! that a setup has.

use super::allocator::Allocator;
use super::hardened::Sound;
use memtwin_models::Unsupported;
use memtwin_models::header_free::{Alignment, Balance, Kind, Route, Setup, Thread};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The kinds that are tried for a block, in this order.
const KINDS: [Kind; 4] = [Kind::Tiny, Kind::Mid, Kind::L25, Kind::Mmap];

static NEXT_THREAD: AtomicU8 = AtomicU8::new(0);

thread_local! {
    /// The allocator's name for this thread, once it has one.
    static NAME: Cell<Option<Thread>> = const { Cell::new(None) };
    /// Whether this thread is inside the allocator: what that needs for its own books comes from the system.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// A global allocator that takes its blocks from the system until [`ServingAllocator::serve`] is called, and from a
/// hardened allocator from there on, as long as that has room.
#[derive(Debug, Default)]
pub struct ServingAllocator {
    allocator: OnceLock<Mutex<Allocator<Sound>>>,
    /// Frees that the allocator found not to be its own.
    passed_on: AtomicU64,
}

impl ServingAllocator {
    /// An allocator that does not serve yet.
    #[must_use]
    pub const fn new() -> Self {
        ServingAllocator { allocator: OnceLock::new(), passed_on: AtomicU64::new(0) }
    }

    /// Serves from here on, with this setup. A second call changes nothing.
    ///
    /// # Errors
    /// When the host refuses the address space.
    pub fn serve(&self, setup: &Setup) -> Result<(), Unsupported> {
        let allocator = Allocator::new(setup)?;
        let _ = self.allocator.set(Mutex::new(allocator));
        Ok(())
    }

    /// The books of each kind, in the order of [`Kind::ALL`], and how many frees were passed on to the system.
    #[must_use]
    pub fn books(&self) -> ([Balance; 6], u64) {
        let books = self.with(|allocator| allocator.books).unwrap_or_default();
        (books, self.passed_on.load(Ordering::Relaxed))
    }

    /// Calls the allocator, if it serves and this thread is not inside it already.
    fn with<T>(&self, call: impl FnOnce(&mut Allocator<Sound>) -> T) -> Option<T> {
        let allocator = self.allocator.get()?;
        if INSIDE.replace(true) {
            return None;
        }
        let mut locked: MutexGuard<'_, _> = allocator.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = call(&mut locked);
        drop(locked);
        INSIDE.set(false);
        Some(answer)
    }

    /// Frees a block that is the allocator's; says whether it was.
    fn free(&self, block: *const u8) -> bool {
        let route = self.with(|allocator| {
            // Addresses of the process outside of the simulated memory lie beyond every simulated one.
            let pointer = allocator.memory.simulated(block).unwrap_or(block as u64);
            allocator.free(pointer, thread())
        });
        let is_own = matches!(route, Some(Route::Owner(_)));
        if !is_own {
            self.passed_on.fetch_add(1, Ordering::Relaxed);
        }
        is_own
    }
}

fn thread() -> Thread {
    NAME.get().unwrap_or_else(|| {
        let thread = Thread::new_folded(NEXT_THREAD.fetch_add(1, Ordering::Relaxed));
        NAME.set(Some(thread));
        thread
    })
}

fn alignment(layout: Layout) -> Alignment {
    Alignment::from_exponent_folded(layout.align().trailing_zeros().to_le_bytes()[0])
}

// SAFETY: blocks of the allocator lie in its mapped pages, disjoint, aligned and at least as long as asked for, as its
// model demands, and are given up by nobody but their owner. All other blocks are the system's, and go back there.
unsafe impl GlobalAlloc for ServingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size() as u64, alignment(layout));
        let own = self.with(|allocator| {
            let block = KINDS.iter().find_map(|&kind| allocator.alloc(kind, size, align, thread()))?;
            Some(allocator.memory.host(block))
        });
        // SAFETY: the caller's promises are those of the system's allocator.
        own.flatten().unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !self.free(block) {
            // SAFETY: the allocator has not handed it out, so the system has.
            unsafe { System.dealloc(block, layout) };
        }
    }
}
