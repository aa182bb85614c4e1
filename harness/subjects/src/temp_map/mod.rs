//! Temporary mappings under test: the virtual memory of a small kernel on a simulated 32-bit machine.
//!
//! - `machine` is the hardware: memory, processors with look-aside buffers, page faults. `frames`, `slots` and `kernel`
//!   are the kernel's books and directories, `window` the temporary mappings, `share` fork and copy-on-write,
//!   `system_calls` and `elf` what rests on them. `subject` drives the kernel as a subject.
//! - [`deviation`] names what a subject may do differently. [`hardened`] does nothing differently; [`private_window`]
//!   has a window for each directory. Both are sound.
//! - [`original`] is what the bug report found, [`published_fix`] what its fix left.
//! - [`defects`] has one broken subject for each known defect, with that defect alone.
//!
//! Does not look at the model. No subject touches memory that is not its own: all faults are simulated.

pub mod defects;
pub mod deviation;
mod elf;
pub mod frames;
pub mod hardened;
pub mod kernel;
pub mod machine;
pub mod original;
pub mod private_window;
pub mod published_fix;
mod share;
pub mod slots;
pub mod subject;
mod system_calls;
mod window;

pub use hardened::Hardened;
pub use original::Original;
pub use private_window::PrivateWindow;
pub use published_fix::PublishedFix;

use memtwin_models::Row;
use memtwin_models::temp_map::TempMap;

/// What is under test besides the catalogue in [`defects`].
pub static ROWS: &[Row<TempMap>] =
    &[Row::of::<Hardened>(), Row::of::<PrivateWindow>(), Row::of::<Original>(), Row::of::<PublishedFix>()];
