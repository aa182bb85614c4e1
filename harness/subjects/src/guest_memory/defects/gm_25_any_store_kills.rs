//! GM-25: a scalar store ends every reservation, wherever it stores.
//!
//! The table is emptied instead of searched. A store-conditional whose line nobody touched fails, and a loop that
//! stores between the two never ends. Bulk stores are right.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::MemoryAccess as _;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm25;

impl Deviation for Gm25 {
    const HEALTH: Health = Health::defect("GM-25", "a scalar store ends every reservation, wherever it stores");

    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        mmu.write(pa, value, size)?;
        mmu.memory().reservations.kill_all();
        Ok(())
    }
}
