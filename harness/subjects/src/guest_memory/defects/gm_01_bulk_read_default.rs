//! GM-01: `PhysicalMemory` does not override the bulk read.
//!
//! The code compiles, because the trait once had a default. The default takes the guest physical address for a host
//! pointer: the first bulk read of memory dies at host address = guest address.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use crate::guest_memory::unsafe_default;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm01;

impl Deviation for Gm01 {
    const HEALTH: Health = Health::defect(
        "GM-01",
        "memory does not override the bulk read, and the trait's unsafe default dereferences the guest address",
    );

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        match mmu.route(GuestRange::of_slice(pa, buffer)?)? {
            Route::Memory => unsafe_default::read_bulk(pa, buffer),
            Route::Device(region, offset) => region.load_bulk(offset, buffer),
        }
    }
}
