//! GM-26: a device that is unmapped answers on.
//!
//! The region is marked free and never taken out of the map: the guest's memory there stays hidden. Moving is right.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{GuestPhysAddr, RegionError, SoftMmu};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm26;

impl Deviation for Gm26 {
    const HEALTH: Health = Health::defect("GM-26", "a device that is unmapped answers on, and hides memory");

    const REUSABLE: bool = false;

    fn unmap_mmio(_mmu: &mut SoftMmu, _base: GuestPhysAddr) -> Result<(), RegionError> {
        Ok(())
    }
}
