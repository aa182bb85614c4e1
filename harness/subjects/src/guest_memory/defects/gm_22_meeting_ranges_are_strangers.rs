//! GM-22: a bulk write looks for one range that has all of its bytes.
//!
//! Two ranges that meet in the guest are two mappings of the host. A transfer over their border is refused, though all
//! of it is RAM. The bulk read is right.

use super::super::region_deviation::RegionDeviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::{GuestPhysAddr, Memory as _, RegionMemory, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm22;

impl RegionDeviation for Gm22 {
    const HEALTH: Health = Health::defect("GM-22", "a bulk write over the border of two ranges that meet is refused");

    fn store_bulk(memory: &RegionMemory, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, source)?;
        let is_in_one = memory.ranges().any(|region| region.contains(range));
        if is_in_one { memory.store_bulk(pa, source) } else { Err(range.invalid()) }
    }
}
