//! The brk heap under test: an allocator, a system-call gate and a kernel in a small simulated process.
//!
//! - `process` is the process: memory that really faults, registers, the gate. `kernel` has the break and the frames,
//!   `allocator` is the user code, written once over the register file. `subject` drives them as a subject.
//! - [`ServingHeap`] is the hardened heap as a program's global allocator.
//! - [`deviation`] names what a subject may do differently. [`hardened`] does nothing differently and is sound.
//! - [`original`] is what the bug report found, [`published_fix`] what its workaround left.
//! - [`defects`] has one broken subject for each known defect, with that defect alone.
//!
//! Does not look at the model. Most broken subjects access memory that is not theirs: they belong in worker processes
//! and nowhere else.

mod allocator;
pub mod defects;
pub mod deviation;
pub mod hardened;
pub mod kernel;
pub mod original;
pub mod process;
pub mod published_fix;
mod registers;
mod serving;
pub mod subject;

pub use hardened::Hardened;
pub use original::Original;
pub use published_fix::PublishedFix;
pub use serving::ServingHeap;

use memtwin_models::Row;
use memtwin_models::brk_heap::BrkHeap;

/// What is under test besides the catalogue in [`defects`].
pub static ROWS: &[Row<BrkHeap>] = &[Row::of::<Hardened>(), Row::of::<Original>(), Row::of::<PublishedFix>()];
