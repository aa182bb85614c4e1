//! Heaps under test, besides those that users bring along.
//!
//! - `free_list` is a small hardened heap over regions, in Rust's manner; [`deviation`] names what it may do
//!   differently.
//! - `paged` is a hardened malloc for several threads over mapped pages, in C's manner, with deviations of its own.
//! - `serving` has the hardened allocators of the other components as `GlobalAlloc`s.
//! - `host` has the allocators of the host.
//! - [`defects`] has one broken subject for each known defect, with that defect alone.
//!
//! It does not look at the model. Most broken subjects access memory that is not theirs: they belong in worker
//! processes and nowhere else.

pub mod defects;
pub mod deviation;
mod free_list;
mod host;
pub mod paged;
mod serving;

pub use free_list::FreeList;
pub use host::{HostLibc, HostSystem};
pub use paged::Paged;

use memtwin_models::Row;
use memtwin_models::heap::Heap;

/// What is under test besides the catalogue in [`defects`].
pub static ROWS: &[Row<Heap>] = &[
    memtwin_heap::arena::<FreeList<deviation::Sound>>(),
    memtwin_heap::malloc::<Paged<paged::deviation::Sound>>(),
    memtwin_heap::global::<HostSystem>(),
    memtwin_heap::malloc::<HostLibc>(),
    serving::row::<serving::Brk>(),
    serving::row::<serving::Header>(),
];
