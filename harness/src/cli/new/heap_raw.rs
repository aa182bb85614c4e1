//! An allocator of one's own, over memory that it is given, beside memtwin's model of a heap. `OwnHeap` is the subject,
//! and works: put your code in its place. `ShortBlocks` is the same with a planted mistake, so that there is something
//! to catch.

use memtwin::Registry;
use memtwin::heap::{RawHeap, arena};
use memtwin::models::Health;
use memtwin::models::heap::HeapContract;
use std::alloc::Layout;
use std::ptr::null_mut;

/// What the program, the tests and the fuzz target put to the test.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(arena::<OwnHeap>())
        .with(arena::<ShortBlocks>())
}

// ---- YOUR CODE: from here to the next such line. Or put it in a crate of its own, and call it here. ----

/// The implementation under test gives out its memory once.
struct OwnHeap {
    /// The next free address.
    next: usize,
    /// The first address beyond the memory.
    end: usize,
}

impl RawHeap for OwnHeap {
    const NAME: &'static str = "own_heap";
    /// What it does not promise, and nothing more. `cargo run --release -- list --json` explains each freedom: for
    /// headers beside blocks, say, claim `block_overhead: 16`.
    const CONTRACT: HeapContract = HeapContract {
        no_reuse: true,
        ..HeapContract::ARENA
    };

    unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        OwnHeap {
            next: start as usize,
            end: start as usize + bytes,
        }
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let block = self.next.next_multiple_of(layout.align());
        match block
            .checked_add(layout.size())
            .filter(|end| *end <= self.end)
        {
            Some(end) => {
                self.next = end;
                block as *mut u8
            }
            None => null_mut(),
        }
    }

    unsafe fn dealloc(&mut self, _block: *mut u8, _layout: Layout) {}

    // `alloc_zeroed`, `realloc`, `relayout` and others have defaults. Write them if yours has them.
}

// ---- END OF YOUR CODE ----

/// The same allocator with a planted mistake. A test that cannot fail proves nothing.
struct ShortBlocks(OwnHeap);

/// The mistake: a byte less than what was asked for.
fn shorter(layout: Layout) -> Layout {
    Layout::from_size_align(layout.size().max(2) - 1, layout.align()).unwrap_or(layout)
}

impl RawHeap for ShortBlocks {
    const NAME: &'static str = "short_blocks";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "blocks are a byte shorter than what was asked for",
    };
    const CONTRACT: HeapContract = OwnHeap::CONTRACT;

    unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        // SAFETY: the caller's promises are those of the allocator.
        ShortBlocks(unsafe { OwnHeap::new(start, bytes) })
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.alloc(shorter(layout))
    }

    unsafe fn dealloc(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: the block was allocated with this layout.
        unsafe { self.0.dealloc(block, shorter(layout)) };
    }
}
