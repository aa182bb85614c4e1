//! GM-05: construction underflows for many small sizes.
//!
//! Shards have `ceil(size / 16)` bytes, and the last gets `size` minus the other fifteen. For 1 to 14 bytes, 17 to 29,
//! 33 to 44 and so on up to 209 the fifteen hold more than the whole memory, and the difference underflows.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::PhysicalMemory;
use crate::guest_memory::{reported, sound};
use memtwin_models::guest_memory::Setup;
use memtwin_models::{Health, Unsupported};
use std::sync::Arc;

/// The deviation.
#[derive(Debug)]
pub struct Gm05;

impl Deviation for Gm05 {
    const HEALTH: Health = Health::defect(
        "GM-05",
        "the size minus fifteen whole shards, which construction computes, underflows for many sizes below 210",
    );
    const REUSABLE: bool = false;

    fn memory(setup: &Setup) -> Result<Arc<PhysicalMemory>, Unsupported> {
        // The hardened storage needs no such number; the defect is that computing it fails.
        reported::last_shard_size(setup.memory_size);
        sound::lazy_memory(setup, setup.memory_size)
    }
}
