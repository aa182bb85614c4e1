//! Guest memory under test: one hardened implementation, the two that were published before it, and the known defects.
//!
//! - [`hardened`] is the implementation that we would ship, and depends on nothing else here. Under test it is
//!   `soft_mmu` (memory and devices), `physical_memory` (memory alone) and `region_memory` (devices, and memory with
//!   holes); all are sound.
//! - [`original`] is what the bug report found, [`published_fix`] what its fix left. Both are broken in several ways,
//!   over the storage in [`reported`].
//! - [`deviation`] is the frame of a broken subject, [`region_deviation`] of one whose memory lies in regions.
//!   [`defects`] has one for each known defect, with that defect alone.
//! - [`subject`] turns the handles of any of them into a subject.
//!
//! Does not look at the model. `GM-01`, `GM-02`, `GM-03`, `GM-19` and `original` access memory that is not theirs: they
//! belong in worker processes and nowhere else.

pub mod defects;
pub mod deviation;
mod footprint;
pub mod hardened;
pub mod original;
pub mod published_fix;
pub mod recorded_devices;
pub mod region_deviation;
pub mod reported;
mod sound;
pub mod subject;
mod unsafe_default;

/// The subject `physical_memory`.
pub type PhysicalMemorySubject = subject::Adapter<hardened::PhysicalHandle>;
/// The subject `region_memory`.
pub type RegionMemorySubject = subject::Adapter<hardened::SoftMmu<hardened::RegionMemory>>;
/// The subject `soft_mmu`.
pub type SoftMmuSubject = subject::Adapter<hardened::SoftMmu>;

pub use original::Original;
pub use published_fix::PublishedFix;

use memtwin_models::Row;
use memtwin_models::guest_memory::GuestMemory;

/// What is under test besides the catalogue in [`defects`].
pub static ROWS: &[Row<GuestMemory>] = &[
    Row::of::<PhysicalMemorySubject>(),
    Row::of::<SoftMmuSubject>(),
    Row::of::<RegionMemorySubject>(),
    Row::of::<Original>(),
    Row::of::<PublishedFix>(),
];
