//! Page tables, and the memory behind them, under test: what a micro-VM's host does with tables and buffers that its
//! guest can write.
//!
//! - `tables` is the table buffer, `walker` finds the leaves of a range, `reader` reads by guest virtual address and
//!   lists regions, `shared` has what host and guest share in scratch, `sandbox` holds it together over `host_memory`,
//!   where a byte too many really faults. `subject` drives it, and reads tables through a counting `port`.
//! - [`deviation`] names what a subject may do differently. [`hardened`] does nothing differently and is sound.
//! - [`original`] is what the bug report found, [`published_fix`] what its fix left.
//! - [`defects`] has one broken subject for each known defect, with that defect alone.
//!
//! Does not look at the model. Some broken subjects access memory that is not theirs: they belong in worker processes
//! and nowhere else.

pub mod defects;
pub mod deviation;
pub mod hardened;
mod host_memory;
pub mod original;
mod port;
pub mod published_fix;
mod reader;
pub mod sandbox;
mod shared;
pub mod subject;
pub mod tables;
pub mod walker;

pub use hardened::Hardened;
pub use original::Original;
pub use published_fix::PublishedFix;

use memtwin_models::Row;
use memtwin_models::page_walk::PageWalk;

/// What is under test besides the catalogue in [`defects`].
pub static ROWS: &[Row<PageWalk>] = &[Row::of::<Hardened>(), Row::of::<Original>(), Row::of::<PublishedFix>()];
