//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces a few methods of the hardened code, so
//! that whatever a campaign reports of it is the defect and nothing else. Absent: TM-21, which needs two processors
//! that run at the same time.

pub mod tm_01_inactive_directory;
pub mod tm_02_unmap_frees;
pub mod tm_03_circular_counter;
pub mod tm_04_unmasked_entry;
pub mod tm_05_last_sharer_leaks;
pub mod tm_06_read_only_shared;
pub mod tm_07_unmapped_elsewhere;
pub mod tm_08_window_inherited;
pub mod tm_09_window_table_leaks;
pub mod tm_10_shared_table_freed;
pub mod tm_11_low_bits;
pub mod tm_12_slot_freed_twice;
pub mod tm_13_slot_state_unchecked;
pub mod tm_14_no_table_no_error;
pub mod tm_15_fills_read_only;
pub mod tm_16_start_checked_only;
pub mod tm_17_no_invalidation;
pub mod tm_18_trusts_pointer;
pub mod tm_19_bss_offset;
pub mod tm_20_source_slot_leaks;
pub mod tm_22_frame_0_is_nothing;
pub mod tm_23_fork_without_flush;
pub mod tm_24_user_bit_unchecked;
pub mod tm_25_protect_opens_shared;
pub mod tm_26_freed_before_forgotten;
pub mod tm_27_protect_on_one_cpu;
pub mod tm_28_last_segments_rights;

pub(super) use tm_01_inactive_directory::in_kernel_directory;
pub(super) use tm_04_unmasked_entry::unmasked_entry;
pub(super) use tm_05_last_sharer_leaks::give_up_shared;
pub(super) use tm_06_read_only_shared::share_every_page;
pub(super) use tm_16_start_checked_only::is_user_start;
pub(super) use tm_24_user_bit_unchecked::any_mapped_frame;

use super::subject::Program;
use memtwin_models::Row;
use memtwin_models::temp_map::TempMap;

/// The catalogue.
pub static ROWS: &[Row<TempMap>] = &[
    Row::of::<Program<tm_01_inactive_directory::Tm01>>(),
    Row::of::<Program<tm_02_unmap_frees::Tm02>>(),
    Row::of::<Program<tm_03_circular_counter::Tm03>>(),
    Row::of::<Program<tm_04_unmasked_entry::Tm04>>(),
    Row::of::<Program<tm_05_last_sharer_leaks::Tm05>>(),
    Row::of::<Program<tm_06_read_only_shared::Tm06>>(),
    Row::of::<Program<tm_07_unmapped_elsewhere::Tm07>>(),
    Row::of::<Program<tm_08_window_inherited::Tm08>>(),
    Row::of::<Program<tm_09_window_table_leaks::Tm09>>(),
    Row::of::<Program<tm_10_shared_table_freed::Tm10>>(),
    Row::of::<Program<tm_11_low_bits::Tm11>>(),
    Row::of::<Program<tm_12_slot_freed_twice::Tm12>>(),
    Row::of::<Program<tm_13_slot_state_unchecked::Tm13>>(),
    Row::of::<Program<tm_14_no_table_no_error::Tm14>>(),
    Row::of::<Program<tm_15_fills_read_only::Tm15>>(),
    Row::of::<Program<tm_16_start_checked_only::Tm16>>(),
    Row::of::<Program<tm_17_no_invalidation::Tm17>>(),
    Row::of::<Program<tm_18_trusts_pointer::Tm18>>(),
    Row::of::<Program<tm_19_bss_offset::Tm19>>(),
    Row::of::<Program<tm_20_source_slot_leaks::Tm20>>(),
    Row::of::<Program<tm_22_frame_0_is_nothing::Tm22>>(),
    Row::of::<Program<tm_23_fork_without_flush::Tm23>>(),
    Row::of::<Program<tm_24_user_bit_unchecked::Tm24>>(),
    Row::of::<Program<tm_25_protect_opens_shared::Tm25>>(),
    Row::of::<Program<tm_26_freed_before_forgotten::Tm26>>(),
    Row::of::<Program<tm_27_protect_on_one_cpu::Tm27>>(),
    Row::of::<Program<tm_28_last_segments_rights::Tm28>>(),
];
