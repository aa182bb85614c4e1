//! GM-02: `PhysicalMemory` does not override the bulk write.
//!
//! The twin of GM-01: the trait's default writes to host memory at the guest's address.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use crate::guest_memory::unsafe_default;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm02;

impl Deviation for Gm02 {
    const HEALTH: Health = Health::defect(
        "GM-02",
        "memory does not override the bulk write, and the trait's unsafe default writes through the guest address",
    );

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        match mmu.route(GuestRange::of_slice(pa, bytes)?)? {
            Route::Memory => unsafe_default::write_bulk(pa, bytes),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }
}
