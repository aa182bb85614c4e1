//! GM-08: a bulk read decides by its first byte who answers.
//!
//! The bulk write refuses whatever overlaps a device and something else; the read asks only where it begins. From
//! memory into a device it reads the bytes beneath the device, from a device into memory it asks the device for
//! registers it does not have.

use super::deviation::{Deviating, Deviation};
use crate::subjects::guest_memory::adapter::Adapter;
use crate::subjects::guest_memory::hardened::access::{AccessSize, GuestRange};
use crate::subjects::guest_memory::hardened::mmio::Route;
use crate::subjects::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};

/// The deviation.
#[derive(Debug)]
pub struct BulkReadLooksAtStart;

impl Deviation for BulkReadLooksAtStart {
    const ID: &'static str = "GM-08";
    const STORY: &'static str = "a bulk read decides between device and memory by its first byte only";

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, buffer)?;
        let decisive = if range.is_empty() { range } else { GuestRange::of_scalar(pa, AccessSize::Byte)? };
        match mmu.route(decisive)? {
            Route::Memory => mmu.memory().load_bulk(pa, buffer),
            Route::Device(region, offset) => region.load_bulk(offset, buffer),
        }
    }
}

/// The subject `GM-08`.
pub type Gm08 = Adapter<Deviating<BulkReadLooksAtStart>>;
