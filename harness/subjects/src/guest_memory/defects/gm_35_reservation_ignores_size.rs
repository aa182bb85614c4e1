//! GM-35: a store-conditional looks at the address of its owner's reservation and not at its size.
//!
//! A word was reserved, and eight bytes are stored: the upper half may have been changed by others since.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::{AccessSize, GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm35;

impl Deviation for Gm35 {
    const HEALTH: Health =
        Health::defect("GM-35", "a store-conditional stores with another size than its load-reserved had");

    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let access = mmu.route_reservable(pa, size)?;
        mmu.memory().bytes.check(GuestRange::of_scalar(pa, access)?)?;
        let sizes = [AccessSize::Byte, AccessSize::Half, AccessSize::Word, AccessSize::Double];
        let reservations = &mmu.memory().reservations;
        if sizes.into_iter().any(|size| reservations.holds(mmu.owner(), pa, size)) {
            reservations.reserve(mmu.owner(), pa, access);
        }
        mmu.memory().store_conditional(mmu.owner(), pa, value, access)
    }
}
