//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces a few methods of the hardened code, so
//! that whatever a campaign reports of it is the defect and nothing else. Absent: GM-17, which needs two threads to
//! show.

pub mod gm_01_bulk_read_default;
pub mod gm_02_bulk_write_default;
pub mod gm_03_wrapper_forwards_scalars;
pub mod gm_04_end_wraps;
pub mod gm_05_construction_underflows;
pub mod gm_06_bulk_store_keeps_reservations;
pub mod gm_07_bulk_bypasses_devices;
pub mod gm_08_bulk_read_looks_at_start;
pub mod gm_09_scalar_looks_at_start;
pub mod gm_10_mixed_write_applies_memory;
pub mod gm_11_end_off_by_one;
pub mod gm_12_third_shard_restarts;
pub mod gm_13_failing_write_is_partial;
pub mod gm_14_border_drops_high_part;
pub mod gm_15_restore_forgets_last_shard;
pub mod gm_16_failing_read_scribbles;
pub mod gm_18_second_line_keeps_reservation;
pub mod gm_19_wrong_allocator;
pub mod gm_20_failed_store_conditional_keeps;
pub mod gm_21_hole_is_memory;
pub mod gm_22_meeting_ranges_are_strangers;
pub mod gm_23_hole_is_not_counted;
pub mod gm_24_address_zero_is_reserved;
pub mod gm_25_any_store_kills;
pub mod gm_26_unmapped_device_answers;
pub mod gm_27_refused_move_loses_device;
pub mod gm_28_own_region_is_in_the_way;
pub mod gm_29_store_conditional_is_not_logged;
pub mod gm_30_bulk_marks_first_page;
pub mod gm_31_failed_dump_empties_log;
pub mod gm_32_restore_is_not_logged;
pub mod gm_33_failed_exchange_kills;
pub mod gm_34_exchange_compares_all_bits;
pub mod gm_35_reservation_ignores_size;
pub mod gm_36_reservation_is_a_line;

use super::deviation::Deviating;
use super::hardened::SoftMmu;
use super::region_deviation::WrongRegions;
use super::subject::Adapter;
use memtwin_models::Row;
use memtwin_models::guest_memory::GuestMemory;

/// The catalogue.
pub static ROWS: &[Row<GuestMemory>] = &[
    Row::of::<Adapter<Deviating<gm_01_bulk_read_default::Gm01>>>(),
    Row::of::<Adapter<Deviating<gm_02_bulk_write_default::Gm02>>>(),
    Row::of::<Adapter<Deviating<gm_03_wrapper_forwards_scalars::Gm03>>>(),
    Row::of::<Adapter<Deviating<gm_04_end_wraps::Gm04>>>(),
    Row::of::<Adapter<Deviating<gm_05_construction_underflows::Gm05>>>(),
    Row::of::<Adapter<Deviating<gm_06_bulk_store_keeps_reservations::Gm06>>>(),
    Row::of::<Adapter<Deviating<gm_07_bulk_bypasses_devices::Gm07>>>(),
    Row::of::<Adapter<Deviating<gm_08_bulk_read_looks_at_start::Gm08>>>(),
    Row::of::<Adapter<Deviating<gm_09_scalar_looks_at_start::Gm09>>>(),
    Row::of::<Adapter<Deviating<gm_10_mixed_write_applies_memory::Gm10>>>(),
    Row::of::<Adapter<Deviating<gm_11_end_off_by_one::Gm11>>>(),
    Row::of::<Adapter<Deviating<gm_12_third_shard_restarts::Gm12>>>(),
    Row::of::<Adapter<Deviating<gm_13_failing_write_is_partial::Gm13>>>(),
    Row::of::<Adapter<Deviating<gm_14_border_drops_high_part::Gm14>>>(),
    Row::of::<Adapter<Deviating<gm_15_restore_forgets_last_shard::Gm15>>>(),
    Row::of::<Adapter<Deviating<gm_16_failing_read_scribbles::Gm16>>>(),
    Row::of::<Adapter<Deviating<gm_18_second_line_keeps_reservation::Gm18>>>(),
    Row::of::<Adapter<Deviating<gm_19_wrong_allocator::Gm19>>>(),
    Row::of::<Adapter<Deviating<gm_20_failed_store_conditional_keeps::Gm20>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<gm_21_hole_is_memory::Gm21>>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<gm_22_meeting_ranges_are_strangers::Gm22>>>>(),
    Row::of::<Adapter<SoftMmu<WrongRegions<gm_23_hole_is_not_counted::Gm23>>>>(),
    Row::of::<Adapter<Deviating<gm_24_address_zero_is_reserved::Gm24>>>(),
    Row::of::<Adapter<Deviating<gm_25_any_store_kills::Gm25>>>(),
    Row::of::<Adapter<Deviating<gm_26_unmapped_device_answers::Gm26>>>(),
    Row::of::<Adapter<Deviating<gm_27_refused_move_loses_device::Gm27>>>(),
    Row::of::<Adapter<Deviating<gm_28_own_region_is_in_the_way::Gm28>>>(),
    Row::of::<Adapter<Deviating<gm_29_store_conditional_is_not_logged::Gm29>>>(),
    Row::of::<Adapter<Deviating<gm_30_bulk_marks_first_page::Gm30>>>(),
    Row::of::<Adapter<Deviating<gm_31_failed_dump_empties_log::Gm31>>>(),
    Row::of::<Adapter<Deviating<gm_32_restore_is_not_logged::Gm32>>>(),
    Row::of::<Adapter<Deviating<gm_33_failed_exchange_kills::Gm33>>>(),
    Row::of::<Adapter<Deviating<gm_34_exchange_compares_all_bits::Gm34>>>(),
    Row::of::<Adapter<Deviating<gm_35_reservation_ignores_size::Gm35>>>(),
    Row::of::<Adapter<Deviating<gm_36_reservation_is_a_line::Gm36>>>(),
];
