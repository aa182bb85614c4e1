//! GM-24: no reservation is kept as address 0.
//!
//! A reservation is an address alone, and 0 stands for none. A store-conditional at address 0 succeeds without a
//! load-reserved.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::MemoryAccess as _;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm24;

impl Deviation for Gm24 {
    const HEALTH: Health =
        Health::defect("GM-24", "a store-conditional at address 0 succeeds, because 0 stands for no reservation");

    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let stored = mmu.store_conditional(pa, value, size)?;
        if !stored && pa.get() == 0 {
            mmu.write(pa, value, size)?;
            return Ok(true);
        }
        Ok(stored)
    }
}
