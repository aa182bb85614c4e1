//! GM-05: construction underflows for many small sizes.
//!
//! Shards have `ceil(size / 16)` bytes, and the last gets `size` minus the other fifteen. For 1 to 14 bytes, 17 to 29,
//! 33 to 44 and so on up to 209 the fifteen hold more than the whole memory, and the difference underflows.

use super::deviation::{Deviating, Deviation};
use crate::subjects::guest_memory::adapter::Adapter;
use crate::subjects::guest_memory::hardened::PhysicalMemory;
use crate::subjects::guest_memory::{reported, sound};
use memtwin_models::Unsupported;
use memtwin_models::guest_memory::Setup;
use std::sync::Arc;

/// The deviation.
#[derive(Debug)]
pub struct ConstructionUnderflows;

impl Deviation for ConstructionUnderflows {
    const ID: &'static str = "GM-05";
    const STORY: &'static str =
        "the size minus fifteen whole shards, which construction computes, underflows for many sizes below 210";
    const REUSABLE: bool = false;

    fn memory(setup: &Setup) -> Result<Arc<PhysicalMemory>, Unsupported> {
        // The hardened storage needs no such number; the defect is that computing it fails.
        reported::last_shard_size(setup.memory_size);
        sound::lazy_memory(setup.memory_size)
    }
}

/// The subject `GM-05`.
pub type Gm05 = Adapter<Deviating<ConstructionUnderflows>>;
