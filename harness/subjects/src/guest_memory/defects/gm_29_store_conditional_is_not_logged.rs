//! GM-29: a store-conditional does not mark its page as written.
//!
//! It has a path of its own, under the reservations' lock, and that one was forgotten. A diff dump leaves out what a
//! guest's locks hold.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::reservations::Lines;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm29;

impl Deviation for Gm29 {
    const HEALTH: Health =
        Health::defect("GM-29", "a store-conditional does not mark its page, so that a dump of written pages lacks it");

    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let size = mmu.route_reservable(pa, size)?;
        let (memory, range) = (mmu.memory(), GuestRange::of_scalar(pa, size)?);
        memory.bytes.write(range, |bytes| {
            let store = || size.store(value, bytes);
            memory.reservations.store_if_live(mmu.owner(), pa, size, Lines::of(range), store)
        })
    }
}
