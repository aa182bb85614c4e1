//! GM-20: a store-conditional that fails leaves its owner's reservation live.
//!
//! A kernel gives up a reservation at a switch of tasks by a store-conditional elsewhere. The next task's succeeds then
//! with the reservation of the one before.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm20;

impl Deviation for Gm20 {
    const HEALTH: Health = Health::defect(
        "GM-20",
        "a store-conditional that fails leaves the reservation, so that a later one stores where it must not",
    );

    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let access = mmu.route_reservable(pa, size)?;
        mmu.memory().bytes.check(GuestRange::of_scalar(pa, access)?)?;
        let is_live = mmu.memory().reservations.holds(mmu.owner(), pa, access);
        if is_live { mmu.memory().store_conditional(mmu.owner(), pa, value, access) } else { Ok(false) }
    }
}
