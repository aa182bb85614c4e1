//! Any allocator as a subject of the component heap. An arena is one short `impl` of [`RawHeap`], a `GlobalAlloc` one
//! of [`GlobalHeap`], a malloc family in C's manner one of [`Malloc`]; the program that calls them, fills blocks and
//! looks at them is written once, here. It judges nothing: the model does.
//!
//! ```
//! use memtwin_heap::{RawHeap, arena};
//! use memtwin_models::heap::{Heap, HeapContract};
//! use memtwin_models::{Health, Row};
//! use std::alloc::Layout;
//!
//! /// Gives out its memory once.
//! struct Bump(usize, usize);
//!
//! impl RawHeap for Bump {
//!     const NAME: &'static str = "bump";
//!     const CONTRACT: HeapContract = HeapContract { no_reuse: true, ..HeapContract::ARENA };
//!
//!     unsafe fn new(start: *mut u8, bytes: usize) -> Self {
//!         Bump(start as usize, start as usize + bytes)
//!     }
//!
//!     fn alloc(&mut self, layout: Layout) -> *mut u8 {
//!         let block = self.0.next_multiple_of(layout.align());
//!         match block.checked_add(layout.size()).filter(|end| *end <= self.1) {
//!             Some(end) => {
//!                 self.0 = end;
//!                 block as *mut u8
//!             }
//!             None => std::ptr::null_mut(),
//!         }
//!     }
//!
//!     unsafe fn dealloc(&mut self, _block: *mut u8, _layout: Layout) {}
//! }
//!
//! let row: Row<Heap> = arena::<Bump>();
//! assert_eq!((row.name, row.health), ("bump", Health::Sound));
//! ```

mod allocator;
mod arena;
mod c;
pub mod errno;
mod global;
mod library;
mod malloc;
mod memory;
mod program;
mod rationed;
mod raw;
mod regions;
mod slots;

pub use allocator::Allocator;
pub use arena::Arena;
pub use c::Family;
pub use global::{Global, GlobalHeap};
pub use library::Library;
pub use malloc::Malloc;
pub use program::Program;
pub use rationed::Rationed;
pub use raw::RawHeap;

use memtwin_models::Row;
use memtwin_models::heap::Heap;

/// The row of an arena.
#[must_use]
pub const fn arena<H: RawHeap>() -> Row<Heap> {
    if H::CONTRACT.own_memory { Row::of::<Program<Rationed<Arena<H>>>>() } else { Row::of::<Program<Arena<H>>>() }
}

/// The row of a `GlobalAlloc` with memory of its own.
#[must_use]
pub const fn global<G: GlobalHeap>() -> Row<Heap> {
    arena::<Global<G>>()
}

/// The row of a malloc family.
#[must_use]
pub const fn malloc<M: Malloc>() -> Row<Heap> {
    if M::SIMULATES_SYSTEM { Row::of::<Program<Family<M>>>() } else { Row::of::<Program<Rationed<Family<M>>>>() }
}
