//! The catalogue of heaps: one broken subject for each known defect, with that defect alone. It holds no hardened code.

pub mod hp_01_fast_path_ignores_alignment;
pub mod hp_02_masks_aligned_blocks;
pub mod hp_03_extend_writes_outside;
pub mod hp_04_copies_new_size;
pub mod hp_05_grows_over_neighbour;
pub mod hp_06_zeroes_too_little;
pub mod hp_07_usable_from_raw_start;
pub mod hp_08_class_by_size_alone;
pub mod hp_09_alignment_ignored;
pub mod hp_10_back_padding_lost;
pub mod hp_11_product_unchecked;
pub mod hp_12_remote_frees_stay;
pub mod hp_13_exit_destroys;
pub mod hp_14_keeps_what_was_asked;
pub mod hp_15_free_changes_errno;
pub mod hp_16_joins_over_live_block;
pub mod hp_17_failed_realloc_frees;
pub mod hp_18_sizes_wrap;
pub mod hp_19_refused_span_serves;
pub mod hp_20_remembers_all_frees;

use super::{FreeList, Paged};
use memtwin_heap::{arena, malloc};
use memtwin_models::Row;
use memtwin_models::heap::Heap;

/// The catalogue.
pub static ROWS: &[Row<Heap>] = &[
    malloc::<Paged<hp_01_fast_path_ignores_alignment::Hp01>>(),
    malloc::<Paged<hp_02_masks_aligned_blocks::Hp02>>(),
    arena::<FreeList<hp_03_extend_writes_outside::Hp03>>(),
    arena::<FreeList<hp_04_copies_new_size::Hp04>>(),
    arena::<FreeList<hp_05_grows_over_neighbour::Hp05>>(),
    arena::<FreeList<hp_06_zeroes_too_little::Hp06>>(),
    malloc::<Paged<hp_07_usable_from_raw_start::Hp07>>(),
    malloc::<Paged<hp_08_class_by_size_alone::Hp08>>(),
    arena::<FreeList<hp_09_alignment_ignored::Hp09>>(),
    arena::<FreeList<hp_10_back_padding_lost::Hp10>>(),
    malloc::<Paged<hp_11_product_unchecked::Hp11>>(),
    malloc::<Paged<hp_12_remote_frees_stay::Hp12>>(),
    malloc::<Paged<hp_13_exit_destroys::Hp13>>(),
    malloc::<Paged<hp_14_keeps_what_was_asked::Hp14>>(),
    malloc::<Paged<hp_15_free_changes_errno::Hp15>>(),
    arena::<FreeList<hp_16_joins_over_live_block::Hp16>>(),
    arena::<FreeList<hp_17_failed_realloc_frees::Hp17>>(),
    malloc::<Paged<hp_18_sizes_wrap::Hp18>>(),
    malloc::<Paged<hp_19_refused_span_serves::Hp19>>(),
    malloc::<Paged<hp_20_remembers_all_frees::Hp20>>(),
];
