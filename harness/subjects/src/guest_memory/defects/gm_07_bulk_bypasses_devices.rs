//! GM-07: the bulk path bypasses devices.
//!
//! Bulk access goes straight to memory. Over a device it reads and writes the bytes beneath, and the device never hears
//! of it.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm07;

impl Deviation for Gm07 {
    const HEALTH: Health =
        Health::defect("GM-07", "bulk access goes to the memory beneath a device instead of to the device");

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        mmu.memory().load_bulk(pa, buffer)
    }

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        mmu.memory().store_bulk(pa, bytes)
    }
}
