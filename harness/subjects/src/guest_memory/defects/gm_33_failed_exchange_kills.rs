//! GM-33: a compare-exchange that stores nothing ends the reservations on its line.
//!
//! The reservations are killed before the comparison. Two CPUs that wait for the same lock, one by each kind of loop,
//! can keep each other from it for ever.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::MemoryAccess as _;
use crate::guest_memory::hardened::memory::Exchanged;
use crate::guest_memory::hardened::{Atomics as _, GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm33;

impl Deviation for Gm33 {
    const HEALTH: Health = Health::defect(
        "GM-33",
        "a compare-exchange that stores nothing ends the reservations on its line all the same",
    );

    fn compare_exchange(
        mmu: &mut SoftMmu,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        let exchanged = mmu.compare_exchange(pa, expected, value, size)?;
        mmu.invalidate_reservation(pa, size);
        Ok(exchanged)
    }
}
