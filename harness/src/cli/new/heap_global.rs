//! A `GlobalAlloc` of one's own beside memtwin's model of a heap. `OwnAllocator` is the subject, and works: put your
//! code in its place. `Forgetful` is the same with a planted mistake, so that there is something to catch.

use memtwin::Registry;
use memtwin::heap::{GlobalHeap, global};
use memtwin::models::Health;
use memtwin::models::heap::HeapContract;
use std::alloc::{GlobalAlloc, Layout, System};

/// What the program, the tests and the fuzz target put to the test.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(global::<OwnGlobal>())
        .with(global::<ForgetfulGlobal>())
}

// ---- YOUR CODE: from here to the next such line. Or put it in a crate of its own, and name its type below. ----

/// The implementation under test asks the system.
struct OwnAllocator;

// SAFETY: the system's allocator keeps the promises.
unsafe impl GlobalAlloc for OwnAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as for `alloc`.
        unsafe { System.dealloc(block, layout) };
    }

    // `alloc_zeroed` and `realloc` have defaults. Write them if yours has them.
}

/// Its name, what it promises, and how a new one is made.
struct OwnGlobal;

impl GlobalHeap for OwnGlobal {
    type Allocator = OwnAllocator;
    const NAME: &'static str = "own_global";
    /// What it does not promise, and nothing more. `cargo run --release -- list --json` explains each freedom: for an
    /// allocator of one thread, say, claim `most_threads: 1`.
    const CONTRACT: HeapContract = HeapContract::GLOBAL;

    fn new() -> OwnAllocator {
        OwnAllocator
    }
}

// ---- END OF YOUR CODE ----

/// The same allocator with a planted mistake. A test that cannot fail proves nothing.
struct Forgetful(<OwnGlobal as GlobalHeap>::Allocator);

// SAFETY: it does not keep the promise of `realloc`, and is only called where that is looked for.
unsafe impl GlobalAlloc for Forgetful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those of the allocator.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as for `alloc`.
        unsafe { self.0.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller says that such a layout exists.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller says that the new size is not 0.
        let moved = unsafe { self.0.alloc(new) };
        if !moved.is_null() {
            // The mistake: nothing is copied.
            // SAFETY: the caller says that the block is live and has this layout.
            unsafe { self.0.dealloc(block, layout) };
        }
        moved
    }
}

/// Its name, and that it is broken.
struct ForgetfulGlobal;

impl GlobalHeap for ForgetfulGlobal {
    type Allocator = Forgetful;
    const NAME: &'static str = "forgetful";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a reallocation forgets what was in the block",
    };
    const CONTRACT: HeapContract = OwnGlobal::CONTRACT;

    fn new() -> Forgetful {
        Forgetful(OwnGlobal::new())
    }
}
