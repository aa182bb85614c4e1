//! GM-36: a store-conditional succeeds anywhere in the line that its owner reserved.
//!
//! A reservation is the number of a line. A store-conditional to a neighbour of what was loaded stores a value that was
//! computed from something else.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::reservations::Lines;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm36;

impl Deviation for Gm36 {
    const HEALTH: Health =
        Health::defect("GM-36", "a store-conditional succeeds at any address in the line that was reserved");

    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let access = mmu.route_reservable(pa, size)?;
        let range = GuestRange::of_scalar(pa, access)?;
        mmu.memory().bytes.check(range)?;
        let line = Lines::of(range).map_or(range, |lines| lines.bytes_below(mmu.memory().size()));
        let reservations = &mmu.memory().reservations;
        let is_held = |address| reservations.holds(mmu.owner(), GuestPhysAddr::new(address), access);
        if (line.start()..line.end()).any(is_held) {
            reservations.reserve(mmu.owner(), pa, access);
        }
        mmu.memory().store_conditional(mmu.owner(), pa, value, access)
    }
}
