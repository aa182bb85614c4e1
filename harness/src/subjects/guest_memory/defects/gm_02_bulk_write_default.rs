//! GM-02: `PhysicalMemory` does not override the bulk write.
//!
//! The twin of GM-01: the trait's default writes to host memory at the guest's address.

use super::deviation::{Deviating, Deviation};
use crate::subjects::guest_memory::adapter::Adapter;
use crate::subjects::guest_memory::hardened::access::GuestRange;
use crate::subjects::guest_memory::hardened::mmio::Route;
use crate::subjects::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use crate::subjects::guest_memory::unsafe_default;

/// The deviation.
#[derive(Debug)]
pub struct BulkWriteDefault;

impl Deviation for BulkWriteDefault {
    const ID: &'static str = "GM-02";
    const STORY: &'static str =
        "memory does not override the bulk write, and the trait's unsafe default writes through the guest address";

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        match mmu.route(GuestRange::of_slice(pa, bytes)?)? {
            Route::Memory => unsafe_default::write_bulk(pa, bytes),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }
}

/// The subject `GM-02`.
pub type Gm02 = Adapter<Deviating<BulkWriteDefault>>;
