//! GM-16: a bulk read that fails at the end of memory has already filled a part of the caller's buffer.
//!
//! The bytes are right, but nobody may look at them, and what the caller had there is gone.

use super::deviation::{Deviating, Deviation};
use crate::subjects::guest_memory::adapter::Adapter;
use crate::subjects::guest_memory::hardened::access::GuestRange;
use crate::subjects::guest_memory::hardened::mmio::Route;
use crate::subjects::guest_memory::hardened::{GuestPhysAddr, MemoryAccess, SoftMmu, VmError};

/// The deviation.
#[derive(Debug)]
pub struct FailingReadScribbles;

impl Deviation for FailingReadScribbles {
    const ID: &'static str = "GM-16";
    const STORY: &'static str =
        "a bulk read across the end of memory fills a part of the caller's buffer before it fails";

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

/// The subject `GM-16`.
pub type Gm16 = Adapter<Deviating<FailingReadScribbles>>;
