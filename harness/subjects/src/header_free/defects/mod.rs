//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces one or two methods of the hardened code,
//! so that whatever a campaign reports of it is the defect and nothing else. Absent: HF-08, which needs two threads to
//! show.

pub mod hf_01_blind_header_read;
pub mod hf_02_guess_loop;
pub mod hf_03_unaligned_mincore;
pub mod hf_04_silent_leak;
pub mod hf_05_none_is_readable;
pub mod hf_06_header_straddles_pages;
pub mod hf_07_header_wraps_below_zero;
pub mod hf_09_believes_any_magic;
pub mod hf_10_freed_block_stays;
pub mod hf_11_any_error_is_unmapped;
pub mod hf_12_own_pointers_to_libc;
pub mod hf_13_only_last_superslab;
pub mod hf_14_capacity_without_header;
pub mod hf_15_class_byte_across_pages;
pub mod hf_16_user_pointer_on_free_list;
pub mod hf_17_trusts_the_registry;
pub mod hf_18_probe_stops_at_tombstone;
pub mod hf_19_cached_block_unregistered;
pub mod hf_20_full_registry_drops;
pub mod hf_21_realloc_reads_header;
pub mod hf_22_size_of_early_blocks;
pub mod hf_23_realloc_forgets_granted;
pub mod hf_24_realloc_loses_errno;
pub mod hf_25_exit_forgets_others_frees;
pub mod hf_26_key_of_32_bits;

pub(super) use hf_03_unaligned_mincore::ask;
pub(super) use hf_04_silent_leak::ignoring_fallback;
pub(super) use hf_09_believes_any_magic::believe;

use super::subject::Program;
use memtwin_models::Row;
use memtwin_models::header_free::HeaderFree;

/// The catalogue.
pub static ROWS: &[Row<HeaderFree>] = &[
    Row::of::<Program<hf_01_blind_header_read::Hf01>>(),
    Row::of::<Program<hf_02_guess_loop::Hf02>>(),
    Row::of::<Program<hf_03_unaligned_mincore::Hf03>>(),
    Row::of::<Program<hf_04_silent_leak::Hf04>>(),
    Row::of::<Program<hf_05_none_is_readable::Hf05>>(),
    Row::of::<Program<hf_06_header_straddles_pages::Hf06>>(),
    Row::of::<Program<hf_07_header_wraps_below_zero::Hf07>>(),
    Row::of::<Program<hf_09_believes_any_magic::Hf09>>(),
    Row::of::<Program<hf_10_freed_block_stays::Hf10>>(),
    Row::of::<Program<hf_11_any_error_is_unmapped::Hf11>>(),
    Row::of::<Program<hf_12_own_pointers_to_libc::Hf12>>(),
    Row::of::<Program<hf_13_only_last_superslab::Hf13>>(),
    Row::of::<Program<hf_14_capacity_without_header::Hf14>>(),
    Row::of::<Program<hf_15_class_byte_across_pages::Hf15>>(),
    Row::of::<Program<hf_16_user_pointer_on_free_list::Hf16>>(),
    Row::of::<Program<hf_17_trusts_the_registry::Hf17>>(),
    Row::of::<Program<hf_18_probe_stops_at_tombstone::Hf18>>(),
    Row::of::<Program<hf_19_cached_block_unregistered::Hf19>>(),
    Row::of::<Program<hf_20_full_registry_drops::Hf20>>(),
    Row::of::<Program<hf_21_realloc_reads_header::Hf21>>(),
    Row::of::<Program<hf_22_size_of_early_blocks::Hf22>>(),
    Row::of::<Program<hf_23_realloc_forgets_granted::Hf23>>(),
    Row::of::<Program<hf_24_realloc_loses_errno::Hf24>>(),
    Row::of::<Program<hf_25_exit_forgets_others_frees::Hf25>>(),
    Row::of::<Program<hf_26_key_of_32_bits::Hf26>>(),
];
