//! GM-28: a device cannot move to an address in its own region.
//!
//! The new place is looked up in the map with the old region still in it. A move by less than the device's size is
//! refused.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, RegionError, SoftMmu};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm28;

impl Deviation for Gm28 {
    const HEALTH: Health =
        Health::defect("GM-28", "a device cannot move by less than its size, because its own region is in the way");

    fn move_mmio(mmu: &mut SoftMmu, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        let first_byte = GuestRange::try_new(to, 1).map_err(|_| RegionError::Wraps)?;
        if let Ok(Route::Device(..)) = mmu.route(first_byte) {
            return Err(RegionError::Overlaps);
        }
        mmu.move_mmio(from, to)
    }
}
