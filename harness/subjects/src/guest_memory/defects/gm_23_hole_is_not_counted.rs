//! GM-23: a scalar load takes the guest address for an offset in the host.
//!
//! As long as RAM is one range from 0 on, the two are the same. Above a hole the load looks as much too far as the hole
//! is wide. The store is right.

use super::super::region_deviation::RegionDeviation;
use crate::guest_memory::hardened::{AccessSize, GuestPhysAddr, Memory as _, RegionMemory, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm23;

impl RegionDeviation for Gm23 {
    const HEALTH: Health = Health::defect(
        "GM-23",
        "a scalar load uses the guest address as an offset of the host's, as if RAM had no holes",
    );

    fn load(memory: &RegionMemory, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        let mut before = 0;
        for range in memory.ranges() {
            if pa.get() - before < range.length() {
                return memory.load(GuestPhysAddr::new(range.start() + (pa.get() - before)), size);
            }
            before += range.length();
        }
        memory.load(pa, size)
    }
}
