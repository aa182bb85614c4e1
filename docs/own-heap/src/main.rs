//! Allocators of one's own beside memtwin's model of a heap, with the whole command line in one macro: an arena that
//! gives out its memory once, one with a free list, and a `GlobalAlloc`.
//!
//! Each arena is an `impl` of three functions. `Greedy` is the bump allocator with a planted mistake, so that there is
//! something to catch: `cargo run --release` catches it and then runs the right ones.

mod bump;
mod free_list;

use memtwin::Registry;
use memtwin::heap::{GlobalHeap, arena, global};
use std::alloc::System;

memtwin::main!(
    Registry::new()
        .with_loader(memtwin::MALLOC_LIBRARIES)
        .with(arena::<bump::Bump>())
        .with(arena::<bump::Greedy>())
        .with(arena::<free_list::FreeList>())
        .with(global::<OwnGlobal>())
);

/// A `GlobalAlloc` needs its type, a name, and how a new one is made. Put yours where `System` stands.
struct OwnGlobal;

impl GlobalHeap for OwnGlobal {
    type Allocator = System;
    const NAME: &'static str = "own_global";

    fn new() -> System {
        System
    }
}
