//! GM-13: a bulk write that fails at the end of memory is not all or nothing.
//!
//! It stores what fits, then reports that not everything did.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, MemoryAccess, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm13;

impl Deviation for Gm13 {
    const HEALTH: Health =
        Health::defect("GM-13", "a bulk write across the end of memory stores what fits before it fails");

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, bytes)?;
        let fitting = range.clipped_to(mmu.memory().size());
        if matches!(mmu.route(range)?, Route::Memory) && fitting != range && !fitting.is_empty() {
            let fitting_bytes = usize::try_from(fitting.length()).ok().and_then(|length| bytes.get(..length));
            mmu.memory().store_bulk(pa, fitting_bytes.unwrap_or_default())?;
            return Err(range.invalid());
        }
        mmu.write_bulk(pa, bytes)
    }
}
