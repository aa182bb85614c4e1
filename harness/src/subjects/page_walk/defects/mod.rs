//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces one method of the hardened code, so that
//! whatever a campaign reports of it is the defect and nothing else.

mod pw_01_region_past_backing;
mod pw_02_type_ignored;
mod pw_03_dangling_base;
mod pw_04_large_pages_ignored;
mod pw_05_range_end_wraps;
mod pw_06_aliased_addresses;
mod pw_07_position_overflows;
mod pw_08_reserves_early;
mod pw_09_endless_walk;
mod pw_10_empty_range_is_a_page;
mod pw_11_file_mappings_unread;
mod pw_12_unaligned_phys;
mod pw_13_avl_compared_whole;
mod pw_14_clear_stops;
mod pw_15_short_elements_stick;
mod pw_16_back_pointer_trusted;
mod pw_17_prefix_trusted;
mod pw_18_end_wraps;
mod pw_19_below_table_base;
mod pw_20_tail_is_visible;
mod pw_21_tiny_scratch_wraps;
mod pw_22_writable_copy_on_write;
mod pw_23_reads_through_gaps;
mod pw_24_upper_levels_ignored;
mod pw_25_merged_across_backings;

pub use pw_01_region_past_backing::{Pw01, RegionPastBacking};
pub use pw_02_type_ignored::{Pw02, TypeIgnored};
pub use pw_03_dangling_base::{DanglingBase, Pw03};
pub use pw_04_large_pages_ignored::{LargePagesIgnored, Pw04};
pub use pw_05_range_end_wraps::{Pw05, RangeEndWraps};
pub use pw_06_aliased_addresses::{AliasedAddresses, Pw06};
pub use pw_07_position_overflows::{PositionOverflows, Pw07};
pub use pw_08_reserves_early::{Pw08, ReservesEarly};
pub use pw_09_endless_walk::{EndlessWalk, Pw09};
pub use pw_10_empty_range_is_a_page::{EmptyRangeIsAPage, Pw10};
pub use pw_11_file_mappings_unread::{FileMappingsUnread, Pw11};
pub use pw_12_unaligned_phys::{Pw12, UnalignedPhys};
pub use pw_13_avl_compared_whole::{AvlComparedWhole, Pw13};
pub use pw_14_clear_stops::{ClearStops, Pw14};
pub use pw_15_short_elements_stick::{Pw15, ShortElementsStick};
pub use pw_16_back_pointer_trusted::{BackPointerTrusted, Pw16};
pub use pw_17_prefix_trusted::{PrefixTrusted, Pw17};
pub use pw_18_end_wraps::{EndWraps, Pw18};
pub use pw_19_below_table_base::{BelowTableBase, Pw19};
pub use pw_20_tail_is_visible::{Pw20, TailIsVisible};
pub use pw_21_tiny_scratch_wraps::{Pw21, TinyScratchWraps};
pub use pw_22_writable_copy_on_write::{Pw22, WritableCopyOnWrite};
pub use pw_23_reads_through_gaps::{Pw23, ReadsThroughGaps};
pub use pw_24_upper_levels_ignored::{Pw24, UpperLevelsIgnored};
pub use pw_25_merged_across_backings::{MergedAcrossBackings, Pw25};
