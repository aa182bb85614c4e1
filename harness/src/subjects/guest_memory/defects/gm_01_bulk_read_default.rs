//! GM-01: `PhysicalMemory` does not override the bulk read.
//!
//! The code compiles, because the trait once had a default. The default takes the guest physical address for a host
//! pointer: the first bulk read of memory dies at host address = guest address.

use super::deviation::{Deviating, Deviation};
use crate::subjects::guest_memory::adapter::Adapter;
use crate::subjects::guest_memory::hardened::access::GuestRange;
use crate::subjects::guest_memory::hardened::mmio::Route;
use crate::subjects::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use crate::subjects::guest_memory::unsafe_default;

/// The deviation.
#[derive(Debug)]
pub struct BulkReadDefault;

impl Deviation for BulkReadDefault {
    const ID: &'static str = "GM-01";
    const STORY: &'static str =
        "memory does not override the bulk read, and the trait's unsafe default dereferences the guest address";

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        match mmu.route(GuestRange::of_slice(pa, buffer)?)? {
            Route::Memory => unsafe_default::read_bulk(pa, buffer),
            Route::Device(region, offset) => region.load_bulk(offset, buffer),
        }
    }
}

/// The subject `GM-01`.
pub type Gm01 = Adapter<Deviating<BulkReadDefault>>;
