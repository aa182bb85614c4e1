//! A `GlobalAlloc` as a heap: it has memory of its own, so that no region is given to it.

use crate::RawHeap;
use memtwin_models::Health;
use memtwin_models::heap::HeapContract;
use std::alloc::{GlobalAlloc, Layout};

/// A `GlobalAlloc` that is put to the test.
pub trait GlobalHeap: 'static {
    /// Its type.
    type Allocator: GlobalAlloc + 'static;
    /// The name on the command line, unique within the component.
    const NAME: &'static str;
    /// Whether it is expected to agree with the model.
    const HEALTH: Health = Health::Sound;
    /// What its documentation claims: [`HeapContract::GLOBAL`], with the freedoms that it takes.
    const CONTRACT: HeapContract = HeapContract::GLOBAL;

    /// A new one. Where it is a handle to one global state, the state of earlier traces is in it, with nothing live.
    fn new() -> Self::Allocator;
}

/// A `GlobalAlloc` as a [`RawHeap`].
#[derive(Debug)]
pub struct Global<G: GlobalHeap>(G::Allocator);

impl<G: GlobalHeap> RawHeap for Global<G> {
    const NAME: &'static str = G::NAME;
    const HEALTH: Health = G::HEALTH;
    const CONTRACT: HeapContract = HeapContract { own_memory: true, ..G::CONTRACT };

    unsafe fn new(_start: *mut u8, _bytes: usize) -> Self {
        Global(G::new())
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the program asks for no layout of 0 bytes.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of the allocator.
        unsafe { self.0.dealloc(block, layout) };
    }

    fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as for `dealloc`.
        unsafe { self.0.realloc(block, layout, new_size) }
    }
}
