//! GM-06: bulk stores do not kill reservations.
//!
//! A CPU reserves a word, a bulk transfer (a disk's, say) overwrites it, and the CPU's store-conditional still
//! succeeds: the transfer's bytes are lost.

use super::deviation::{Deviating, Deviation};
use crate::subjects::guest_memory::adapter::Adapter;
use crate::subjects::guest_memory::hardened::access::GuestRange;
use crate::subjects::guest_memory::hardened::mmio::Route;
use crate::subjects::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};

/// The deviation.
#[derive(Debug)]
pub struct BulkStoreKeepsReservations;

impl Deviation for BulkStoreKeepsReservations {
    const ID: &'static str = "GM-06";
    const STORY: &'static str =
        "bulk stores do not kill reservations, so a store-conditional overwrites what came after its load";

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, bytes)?;
        match mmu.route(range)? {
            Route::Memory => mmu.memory().bytes.write(range, |target| target.copy_from_slice(bytes)),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }
}

/// The subject `GM-06`.
pub type Gm06 = Adapter<Deviating<BulkStoreKeepsReservations>>;
