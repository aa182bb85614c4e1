//! The counting allocator: a worker that asks for more memory than it may have ends at that call, with its frames.
//! Limits by RLIMIT_AS would break large reservations and AddressSanitizer.

use super::fault::MEMORY_SIGNAL;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator with a count of live bytes. `memtwin::main!` makes it the program's global allocator.
#[derive(Debug)]
pub struct CountingAllocator;

static LIVE_BYTES: AtomicU64 = AtomicU64::new(0);
static LIMIT_BYTES: AtomicU64 = AtomicU64::new(u64::MAX);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Lets this process allocate this many bytes more.
pub(super) fn limit(bytes: u64) {
    LIMIT_BYTES.store(LIVE_BYTES.load(Ordering::Relaxed).saturating_add(bytes), Ordering::Relaxed);
}

/// How many times this process has asked for memory, where [`CountingAllocator`] is the global allocator.
#[must_use]
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

fn charge(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    let live = LIVE_BYTES.fetch_add(bytes as u64, Ordering::Relaxed).saturating_add(bytes as u64);
    if LIMIT_BYTES.load(Ordering::Relaxed) < live {
        // Dying here, not returning null, names the op and the frames; a subject that tests its limits by asking for
        // absurd sizes would otherwise pass for one that handles refusals.
        let _ = nix::sys::signal::raise(MEMORY_SIGNAL);
    }
}

fn refund(bytes: usize) {
    LIVE_BYTES.fetch_sub(bytes as u64, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches no memory of its own.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        charge(new_size);
        refund(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        refund(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
