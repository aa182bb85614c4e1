//! GM-08: a bulk read decides by its first byte who answers.
//!
//! The bulk write refuses whatever overlaps a device and something else; the read asks only where it begins. From
//! memory into a device it reads the bytes beneath the device, from a device into memory it asks the device for
//! registers it does not have.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::{AccessSize, GuestRange};
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm08;

impl Deviation for Gm08 {
    const HEALTH: Health =
        Health::defect("GM-08", "a bulk read decides between device and memory by its first byte only");

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, buffer)?;
        let decisive = if range.is_empty() { range } else { GuestRange::of_scalar(pa, AccessSize::Byte)? };
        match mmu.route(decisive)? {
            Route::Memory => mmu.memory().load_bulk(pa, buffer),
            Route::Device(region, offset) => region.load_bulk(offset, buffer),
        }
    }
}
