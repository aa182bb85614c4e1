//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces one or two methods of the hardened code, so
//! that whatever a campaign reports of it is the defect and nothing else. Absent: HF-08, which needs two threads to show.

mod hf_01_blind_header_read;
mod hf_02_guess_loop;
mod hf_03_unaligned_mincore;
mod hf_04_silent_leak;
mod hf_05_none_is_readable;
mod hf_06_header_straddles_pages;
mod hf_07_header_wraps_below_zero;
mod hf_09_believes_any_magic;
mod hf_10_freed_block_stays;
mod hf_11_any_error_is_unmapped;
mod hf_12_own_pointers_to_libc;
mod hf_13_only_last_superslab;
mod hf_14_capacity_without_header;
mod hf_15_class_byte_across_pages;
mod hf_16_user_pointer_on_free_list;
mod hf_17_trusts_the_registry;
mod hf_18_probe_stops_at_tombstone;
mod hf_19_cached_block_unregistered;
mod hf_20_full_registry_drops;

pub use hf_01_blind_header_read::{BlindHeaderRead, Hf01};
pub use hf_02_guess_loop::{GuessLoop, Hf02};
pub use hf_03_unaligned_mincore::{Hf03, UnalignedMincore};
pub use hf_04_silent_leak::{Hf04, SilentLeak};
pub use hf_05_none_is_readable::{Hf05, NoneIsReadable};
pub use hf_06_header_straddles_pages::{HeaderStraddlesPages, Hf06};
pub use hf_07_header_wraps_below_zero::{HeaderWrapsBelowZero, Hf07};
pub use hf_09_believes_any_magic::{BelievesAnyMagic, Hf09};
pub use hf_10_freed_block_stays::{FreedBlockStays, Hf10};
pub use hf_11_any_error_is_unmapped::{AnyErrorIsUnmapped, Hf11};
pub use hf_12_own_pointers_to_libc::{Hf12, OwnPointersToLibc};
pub use hf_13_only_last_superslab::{Hf13, OnlyLastSuperslab};
pub use hf_14_capacity_without_header::{CapacityWithoutHeader, Hf14};
pub use hf_15_class_byte_across_pages::{ClassByteAcrossPages, Hf15};
pub use hf_16_user_pointer_on_free_list::{Hf16, UserPointerOnFreeList};
pub use hf_17_trusts_the_registry::{Hf17, TrustsTheRegistry};
pub use hf_18_probe_stops_at_tombstone::{Hf18, ProbeStopsAtTombstone};
pub use hf_19_cached_block_unregistered::{CachedBlockUnregistered, Hf19};
pub use hf_20_full_registry_drops::{FullRegistryDrops, Hf20};

pub(super) use hf_02_guess_loop::guess;
pub(super) use hf_03_unaligned_mincore::ask;
pub(super) use hf_04_silent_leak::ignoring_fallback;
pub(super) use hf_09_believes_any_magic::believe;
