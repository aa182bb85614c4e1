//! GM-06: bulk stores do not kill reservations.
//!
//! A CPU reserves a word, a bulk transfer (a disk's, say) overwrites it, and the CPU's store-conditional still
//! succeeds: the transfer's bytes are lost.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm06;

impl Deviation for Gm06 {
    const HEALTH: Health = Health::defect(
        "GM-06",
        "bulk stores do not kill reservations, so a store-conditional overwrites what came after its load",
    );

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, bytes)?;
        match mmu.route(range)? {
            Route::Memory => mmu.memory().bytes.write(range, |target| {
                target.copy_from_slice(bytes);
                mmu.memory().mark(range);
            }),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }
}
