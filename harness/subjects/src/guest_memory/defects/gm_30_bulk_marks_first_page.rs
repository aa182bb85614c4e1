//! GM-30: a bulk write marks the first of its pages alone.
//!
//! The page of its address is taken for the page of its bytes. A transfer that ends in another page is not in the log
//! from there on. Scalars are right.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::reservations::Lines;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm30;

impl Deviation for Gm30 {
    const HEALTH: Health = Health::defect("GM-30", "a bulk write marks the page of its first byte and no other");

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, bytes)?;
        match mmu.route(range)? {
            Route::Memory => mmu.memory().bytes.write(range, |target| {
                target.copy_from_slice(bytes);
                mmu.memory().reservations.kill(Lines::of(range));
                mmu.memory().mark(GuestRange::between(range.start(), range.end().min(range.start() + 1)));
            }),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }
}
