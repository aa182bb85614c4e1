//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces one method of the hardened code, so that
//! whatever a campaign reports of it is the defect and nothing else.

pub mod pw_01_region_past_backing;
pub mod pw_02_type_ignored;
pub mod pw_03_dangling_base;
pub mod pw_04_large_pages_ignored;
pub mod pw_05_range_end_wraps;
pub mod pw_06_aliased_addresses;
pub mod pw_07_position_overflows;
pub mod pw_08_reserves_early;
pub mod pw_09_endless_walk;
pub mod pw_10_empty_range_is_a_page;
pub mod pw_11_file_mappings_unread;
pub mod pw_12_unaligned_phys;
pub mod pw_13_avl_compared_whole;
pub mod pw_14_clear_stops;
pub mod pw_15_short_elements_stick;
pub mod pw_16_back_pointer_trusted;
pub mod pw_17_prefix_trusted;
pub mod pw_18_end_wraps;
pub mod pw_19_below_table_base;
pub mod pw_20_tail_is_visible;
pub mod pw_21_tiny_scratch_wraps;
pub mod pw_22_writable_copy_on_write;
pub mod pw_23_reads_through_gaps;
pub mod pw_24_upper_levels_ignored;
pub mod pw_25_merged_across_backings;
pub mod pw_26_user_bit_unread;
pub mod pw_27_restore_loses_files;
pub mod pw_28_clear_believes_pointer;
pub mod pw_29_pat_taken_for_ps;
pub mod pw_30_third_page_guessed;

use super::subject::Host;
use memtwin_models::Row;
use memtwin_models::page_walk::PageWalk;

/// The catalogue.
pub static ROWS: &[Row<PageWalk>] = &[
    Row::of::<Host<pw_01_region_past_backing::Pw01>>(),
    Row::of::<Host<pw_02_type_ignored::Pw02>>(),
    Row::of::<Host<pw_03_dangling_base::Pw03>>(),
    Row::of::<Host<pw_04_large_pages_ignored::Pw04>>(),
    Row::of::<Host<pw_05_range_end_wraps::Pw05>>(),
    Row::of::<Host<pw_06_aliased_addresses::Pw06>>(),
    Row::of::<Host<pw_07_position_overflows::Pw07>>(),
    Row::of::<Host<pw_08_reserves_early::Pw08>>(),
    Row::of::<Host<pw_09_endless_walk::Pw09>>(),
    Row::of::<Host<pw_10_empty_range_is_a_page::Pw10>>(),
    Row::of::<Host<pw_11_file_mappings_unread::Pw11>>(),
    Row::of::<Host<pw_12_unaligned_phys::Pw12>>(),
    Row::of::<Host<pw_13_avl_compared_whole::Pw13>>(),
    Row::of::<Host<pw_14_clear_stops::Pw14>>(),
    Row::of::<Host<pw_15_short_elements_stick::Pw15>>(),
    Row::of::<Host<pw_16_back_pointer_trusted::Pw16>>(),
    Row::of::<Host<pw_17_prefix_trusted::Pw17>>(),
    Row::of::<Host<pw_18_end_wraps::Pw18>>(),
    Row::of::<Host<pw_19_below_table_base::Pw19>>(),
    Row::of::<Host<pw_20_tail_is_visible::Pw20>>(),
    Row::of::<Host<pw_21_tiny_scratch_wraps::Pw21>>(),
    Row::of::<Host<pw_22_writable_copy_on_write::Pw22>>(),
    Row::of::<Host<pw_23_reads_through_gaps::Pw23>>(),
    Row::of::<Host<pw_24_upper_levels_ignored::Pw24>>(),
    Row::of::<Host<pw_25_merged_across_backings::Pw25>>(),
    Row::of::<Host<pw_26_user_bit_unread::Pw26>>(),
    Row::of::<Host<pw_27_restore_loses_files::Pw27>>(),
    Row::of::<Host<pw_28_clear_believes_pointer::Pw28>>(),
    Row::of::<Host<pw_29_pat_taken_for_ps::Pw29>>(),
    Row::of::<Host<pw_30_third_page_guessed::Pw30>>(),
];
