//! GM-16: a bulk read that fails at the end of memory has already filled a part of the caller's buffer.
//!
//! The bytes are right, but nobody may look at them, and what the caller had there is gone.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, MemoryAccess, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm16;

impl Deviation for Gm16 {
    const HEALTH: Health = Health::defect(
        "GM-16",
        "a bulk read across the end of memory fills a part of the caller's buffer before it fails",
    );

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, buffer)?;
        let fitting = range.clipped_to(mmu.memory().size());
        if matches!(mmu.route(range)?, Route::Memory) && fitting != range && !fitting.is_empty() {
            let fitting_bytes = usize::try_from(fitting.length()).ok().and_then(|length| buffer.get_mut(..length));
            mmu.memory().load_bulk(pa, fitting_bytes.unwrap_or_default())?;
            return Err(range.invalid());
        }
        mmu.read_bulk(pa, buffer)
    }
}
