//! GM-21: a bulk read takes the end of the last range for the size of memory.
//!
//! The range is checked against where RAM ends, and a hole reads as zeros. The bulk write is right.

use super::super::region_deviation::RegionDeviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::{GuestPhysAddr, Memory as _, RegionMemory, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm21;

impl RegionDeviation for Gm21 {
    const HEALTH: Health = Health::defect(
        "GM-21",
        "a bulk read is checked against the end of the last range, so that holes read as zeros",
    );

    fn load_bulk(memory: &RegionMemory, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let end = memory.ranges().map(GuestRange::end).max().unwrap_or(0);
        let range = GuestRange::of_slice(pa, buffer)?;
        if end < range.end() {
            return Err(range.invalid());
        }
        for (address, byte) in (pa.get()..).zip(buffer) {
            let mut one = [0];
            let _hole = memory.load_bulk(GuestPhysAddr::new(address), &mut one);
            *byte = one[0];
        }
        Ok(())
    }
}
