//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces a few methods of the hardened code, so
//! that whatever a campaign reports of it is the defect and nothing else. Absent: TM-21, which needs two processors
//! that run at the same time.

mod tm_01_inactive_directory;
mod tm_02_unmap_frees;
mod tm_03_circular_counter;
mod tm_04_unmasked_entry;
mod tm_05_last_sharer_leaks;
mod tm_06_read_only_shared;
mod tm_07_unmapped_elsewhere;
mod tm_08_window_inherited;
mod tm_09_window_table_leaks;
mod tm_10_shared_table_freed;
mod tm_11_low_bits;
mod tm_12_slot_freed_twice;
mod tm_13_slot_state_unchecked;
mod tm_14_no_table_no_error;
mod tm_15_fills_read_only;
mod tm_16_start_checked_only;
mod tm_17_no_invalidation;
mod tm_18_trusts_pointer;
mod tm_19_bss_offset;
mod tm_20_source_slot_leaks;
mod tm_22_frame_0_is_nothing;
mod tm_23_fork_without_flush;
mod tm_24_user_bit_unchecked;

pub(super) use tm_01_inactive_directory::in_kernel_directory;
pub use tm_01_inactive_directory::{InactiveDirectory, Tm01};
pub use tm_02_unmap_frees::{Tm02, UnmapFrees};
pub use tm_03_circular_counter::{CircularCounter, Tm03};
pub(super) use tm_04_unmasked_entry::unmasked_entry;
pub use tm_04_unmasked_entry::{Tm04, UnmaskedEntry};
pub(super) use tm_05_last_sharer_leaks::give_up_shared;
pub use tm_05_last_sharer_leaks::{LastSharerLeaks, Tm05};
pub(super) use tm_06_read_only_shared::share_every_page;
pub use tm_06_read_only_shared::{ReadOnlyShared, Tm06};
pub use tm_07_unmapped_elsewhere::{Tm07, UnmappedElsewhere};
pub use tm_08_window_inherited::{Tm08, WindowInherited};
pub use tm_09_window_table_leaks::{Tm09, WindowTableLeaks};
pub use tm_10_shared_table_freed::{SharedTableFreed, Tm10};
pub use tm_11_low_bits::{LowBits, Tm11};
pub use tm_12_slot_freed_twice::{SlotFreedTwice, Tm12};
pub use tm_13_slot_state_unchecked::{SlotStateUnchecked, Tm13};
pub use tm_14_no_table_no_error::{NoTableNoError, Tm14};
pub use tm_15_fills_read_only::{FillsReadOnly, Tm15};
pub(super) use tm_16_start_checked_only::is_user_start;
pub use tm_16_start_checked_only::{StartCheckedOnly, Tm16};
pub use tm_17_no_invalidation::{NoInvalidation, Tm17};
pub use tm_18_trusts_pointer::{Tm18, TrustsPointer};
pub use tm_19_bss_offset::{BssOffset, Tm19};
pub use tm_20_source_slot_leaks::{SourceSlotLeaks, Tm20};
pub use tm_22_frame_0_is_nothing::{Frame0IsNothing, Tm22};
pub use tm_23_fork_without_flush::{ForkWithoutFlush, Tm23};
pub(super) use tm_24_user_bit_unchecked::any_mapped_frame;
pub use tm_24_user_bit_unchecked::{Tm24, UserBitUnchecked};
