//! GM-27: a device whose move is refused is nowhere.
//!
//! The old region is taken out before the new one is looked at, and not put back where that has no room. The error path
//! alone is wrong.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{GuestPhysAddr, RegionError, SoftMmu};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm27;

impl Deviation for Gm27 {
    const HEALTH: Health = Health::defect("GM-27", "a device whose move is refused is lost");

    fn move_mmio(mmu: &mut SoftMmu, from: GuestPhysAddr, to: GuestPhysAddr) -> Result<(), RegionError> {
        let moved = mmu.move_mmio(from, to);
        if moved.is_err() {
            mmu.unmap_mmio(from)?;
        }
        moved
    }
}
