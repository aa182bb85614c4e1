//! GM-34: a compare-exchange of less than eight bytes compares all 64 bits of what is expected.
//!
//! What is loaded is zero-extended, what is expected is not cut to the size: a register with anything in its upper half
//! never fits. The stores are right, they cut their values.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::memory::Exchanged;
use crate::guest_memory::hardened::{Atomics as _, GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm34;

impl Deviation for Gm34 {
    const HEALTH: Health =
        Health::defect("GM-34", "a compare-exchange compares bits of what is expected that lie beyond its size");

    fn compare_exchange(
        mmu: &mut SoftMmu,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: u8,
    ) -> Result<Exchanged, VmError> {
        let before = mmu.atomic_load(pa, size)?;
        if before == expected { mmu.compare_exchange(pa, expected, value, size) } else { Ok(Err(before)) }
    }
}
