//! The hardened allocators of the other components as `GlobalAlloc`s in front of the system's, as they serve a program.
//! The system that they ask for memory is simulated, so that no request to the host is theirs.

use super::HostSystem;
use crate::brk_heap::ServingHeap;
use crate::header_free::ServingAllocator;
use memtwin_heap::{Arena, Global, GlobalHeap, Program};
use memtwin_models::Row;
use memtwin_models::brk_heap::{Granularity, Setup as BrkSetup};
use memtwin_models::header_free::Setup as HeaderSetup;
use memtwin_models::heap::{Heap, HeapContract};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The hardened brk heap, and the system for what it refuses.
#[derive(Debug)]
pub(super) struct BrkInFront {
    heap: ServingHeap,
    /// How many blocks of the heap are live. The heap uses no memory twice: when none is left it begins anew.
    live: AtomicUsize,
}

impl BrkInFront {
    /// A block of the heap, if it has one.
    fn of_heap(&self, ask: impl Fn(&ServingHeap) -> *mut u8) -> Option<*mut u8> {
        let mut block = ask(&self.heap);
        if block.is_null() && self.live.load(Ordering::Relaxed) == 0 {
            self.heap.begin_anew();
            block = ask(&self.heap);
        }
        if block.is_null() {
            return None;
        }
        self.live.fetch_add(1, Ordering::Relaxed);
        Some(block)
    }
}

// SAFETY: each block is the heap's or the system's, both of which are sound, and goes back to where it came from.
unsafe impl GlobalAlloc for BrkInFront {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those of both allocators.
        let own = self.of_heap(|heap| unsafe { heap.alloc(layout) });
        // SAFETY: as above.
        own.unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        let own = self.of_heap(|heap| unsafe { heap.alloc_zeroed(layout) });
        // SAFETY: as for `alloc`.
        own.unwrap_or_else(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.heap.owns(block) {
            // SAFETY: the caller says that the block is live; it is the heap's.
            unsafe { self.heap.dealloc(block, layout) };
            self.live.fetch_sub(1, Ordering::Relaxed);
        } else {
            // SAFETY: the caller says that the block is live; it is the system's.
            unsafe { System.dealloc(block, layout) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.heap.owns(block) {
            // SAFETY: the caller says that the block is live; it is the heap's.
            let moved = unsafe { self.heap.realloc(block, layout, new_size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the alignment was valid, and the caller says that the new size is.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: neither layout is empty, by the caller's promise.
        let moved = unsafe { self.alloc(new_layout) };
        if !moved.is_null() {
            // SAFETY: both blocks are live, apart, and have as many bytes.
            unsafe { block.copy_to_nonoverlapping(moved, layout.size().min(new_size)) };
            // SAFETY: the caller says that the block is live.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// The hardened brk heap under test.
#[derive(Debug)]
pub(super) struct Brk;

impl GlobalHeap for Brk {
    type Allocator = BrkInFront;
    const NAME: &'static str = "brk_in_front";
    const CONTRACT: HeapContract = HostSystem::CONTRACT;

    fn new() -> BrkInFront {
        let heap = ServingHeap::new();
        // Where the host refuses the address space, the system serves.
        let _ = heap.serve(&BrkSetup { frames: 4096, granularity: Granularity::SixteenPages, ..BrkSetup::reported(0) });
        BrkInFront { heap, live: AtomicUsize::new(0) }
    }
}

/// The hardened allocator of header_free under test: it tells its blocks from the system's by the bare pointer.
#[derive(Debug)]
pub(super) struct Header;

impl GlobalHeap for Header {
    type Allocator = ServingAllocator;
    const NAME: &'static str = "header_in_front";
    const CONTRACT: HeapContract = HostSystem::CONTRACT;

    fn new() -> ServingAllocator {
        let allocator = ServingAllocator::new();
        // As above.
        let _ = allocator.serve(&HeaderSetup { superslab_log2: 20, ..HeaderSetup::PRELOADED });
        allocator
    }
}

/// The row of a `GlobalAlloc` whose system is simulated: plans that refuse requests to the host are not for it.
pub(super) const fn row<G: GlobalHeap>() -> Row<Heap> {
    Row::of::<Program<Arena<Global<G>>>>()
}
