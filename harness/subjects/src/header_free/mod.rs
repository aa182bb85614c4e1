//! An allocator under test that must find out from a bare pointer who owns it, in a small simulated process beside
//! libc.
//!
//! - `memory` is the process's memory: pages that really fault, errno, the `mincore` gate. `libc_heap` is libc. `tiny`,
//!   `registry`, `table` and `boot` are the allocator's books, `allocator` is the allocator, `subject` drives it as a
//!   subject.
//! - [`ServingAllocator`] is the hardened allocator as a program's global allocator.
//! - [`deviation`] names what a subject may do differently. [`hardened`] does nothing differently and is sound.
//! - [`original`] is what the bug report found, [`published_fix`] what its fix left.
//! - [`defects`] has one broken subject for each known defect, with that defect alone.
//!
//! Does not look at the model. Most broken subjects access memory that is not theirs: they belong in worker processes
//! and nowhere else.

pub mod allocator;
mod boot;
pub mod defects;
pub mod deviation;
pub mod hardened;
mod layout;
mod libc_heap;
pub mod memory;
pub mod original;
mod page_map;
pub mod published_fix;
pub mod registry;
mod serving;
pub mod subject;
pub mod table;
pub mod tiny;

pub use hardened::{Hardened, HardenedRealLibc};
pub use original::Original;
pub use published_fix::PublishedFix;
pub use serving::ServingAllocator;

use memtwin_models::Row;
use memtwin_models::header_free::HeaderFree;

/// What is under test besides the catalogue in [`defects`].
pub static ROWS: &[Row<HeaderFree>] =
    &[Row::of::<Hardened>(), Row::of::<HardenedRealLibc>(), Row::of::<Original>(), Row::of::<PublishedFix>()];
