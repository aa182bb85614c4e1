//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces one or two methods of the hardened code,
//! so that whatever a campaign reports of it is the defect and nothing else. Absent: BH-15, which needs two threads to
//! show.

pub mod bh_01_gate_loses_x9;
pub mod bh_02_gate_loses_mask;
pub mod bh_03_gate_leaks_stack;
pub mod bh_04_break_without_pages;
pub mod bh_05_break_wraps;
pub mod bh_06_head_wraps;
pub mod bh_07_refusal_is_success;
pub mod bh_08_first_end_unchecked;
pub mod bh_09_alignment_ends_at_16;
pub mod bh_10_padding_not_counted;
pub mod bh_11_shrink_copies_all;
pub mod bh_12_grows_over_neighbour;
pub mod bh_13_munmap_does_nothing;
pub mod bh_14_trusts_old_pages;
pub mod bh_16_end_is_wanted;
pub mod bh_17_stray_write;
pub mod bh_18_takes_all_below_break;
pub mod bh_19_unmaps_one_table;
pub mod bh_20_child_begins_anew;
pub mod bh_21_keeps_old_alignment;
pub mod bh_22_grows_into_stack;

pub(super) use bh_01_gate_loses_x9::clobber_x9;
pub(super) use bh_04_break_without_pages::move_break_alone;

use super::subject::Program;
use memtwin_models::Row;
use memtwin_models::brk_heap::BrkHeap;

/// The catalogue.
pub static ROWS: &[Row<BrkHeap>] = &[
    Row::of::<Program<bh_01_gate_loses_x9::Bh01>>(),
    Row::of::<Program<bh_02_gate_loses_mask::Bh02>>(),
    Row::of::<Program<bh_03_gate_leaks_stack::Bh03>>(),
    Row::of::<Program<bh_04_break_without_pages::Bh04>>(),
    Row::of::<Program<bh_05_break_wraps::Bh05>>(),
    Row::of::<Program<bh_06_head_wraps::Bh06>>(),
    Row::of::<Program<bh_07_refusal_is_success::Bh07>>(),
    Row::of::<Program<bh_08_first_end_unchecked::Bh08>>(),
    Row::of::<Program<bh_09_alignment_ends_at_16::Bh09>>(),
    Row::of::<Program<bh_10_padding_not_counted::Bh10>>(),
    Row::of::<Program<bh_11_shrink_copies_all::Bh11>>(),
    Row::of::<Program<bh_12_grows_over_neighbour::Bh12>>(),
    Row::of::<Program<bh_13_munmap_does_nothing::Bh13>>(),
    Row::of::<Program<bh_14_trusts_old_pages::Bh14>>(),
    Row::of::<Program<bh_16_end_is_wanted::Bh16>>(),
    Row::of::<Program<bh_17_stray_write::Bh17>>(),
    Row::of::<Program<bh_18_takes_all_below_break::Bh18>>(),
    Row::of::<Program<bh_19_unmaps_one_table::Bh19>>(),
    Row::of::<Program<bh_20_child_begins_anew::Bh20>>(),
    Row::of::<Program<bh_21_keeps_old_alignment::Bh21>>(),
    Row::of::<Program<bh_22_grows_into_stack::Bh22>>(),
];
