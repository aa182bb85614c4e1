//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces a few methods of the hardened code, so
//! that whatever a campaign reports of it is the defect and nothing else. Absent: GM-17, which needs two threads to
//! show.

mod deviation;
mod gm_01_bulk_read_default;
mod gm_02_bulk_write_default;
mod gm_03_wrapper_forwards_scalars;
mod gm_04_end_wraps;
mod gm_05_construction_underflows;
mod gm_06_bulk_store_keeps_reservations;
mod gm_07_bulk_bypasses_devices;
mod gm_08_bulk_read_looks_at_start;
mod gm_09_scalar_looks_at_start;
mod gm_10_mixed_write_applies_memory;
mod gm_11_end_off_by_one;
mod gm_12_third_shard_restarts;
mod gm_13_failing_write_is_partial;
mod gm_14_border_drops_high_part;
mod gm_15_restore_forgets_last_shard;
mod gm_16_failing_read_scribbles;
mod gm_18_second_line_keeps_reservation;
mod gm_19_wrong_allocator;

pub use deviation::{Deviating, Deviation};
pub use gm_01_bulk_read_default::{BulkReadDefault, Gm01};
pub use gm_02_bulk_write_default::{BulkWriteDefault, Gm02};
pub use gm_03_wrapper_forwards_scalars::{Gm03, WrapperForwardsScalars};
pub use gm_04_end_wraps::{EndWraps, Gm04};
pub use gm_05_construction_underflows::{ConstructionUnderflows, Gm05};
pub use gm_06_bulk_store_keeps_reservations::{BulkStoreKeepsReservations, Gm06};
pub use gm_07_bulk_bypasses_devices::{BulkBypassesDevices, Gm07};
pub use gm_08_bulk_read_looks_at_start::{BulkReadLooksAtStart, Gm08};
pub use gm_09_scalar_looks_at_start::{Gm09, ScalarLooksAtStart};
pub use gm_10_mixed_write_applies_memory::{Gm10, MixedWriteAppliesMemory};
pub use gm_11_end_off_by_one::{EndOffByOne, Gm11};
pub use gm_12_third_shard_restarts::{Gm12, ThirdShardRestarts};
pub use gm_13_failing_write_is_partial::{FailingWriteIsPartial, Gm13};
pub use gm_14_border_drops_high_part::{BorderDropsHighPart, Gm14};
pub use gm_15_restore_forgets_last_shard::{Gm15, RestoreForgetsLastShard};
pub use gm_16_failing_read_scribbles::{FailingReadScribbles, Gm16};
pub use gm_18_second_line_keeps_reservation::{Gm18, SecondLineKeepsReservation};
pub use gm_19_wrong_allocator::{Gm19, WrongAllocator};
