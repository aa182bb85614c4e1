//! GM-03: a wrapper forwards the scalar methods only.
//!
//! The memory inside overrides both bulk methods, and is never asked: bulk access through the wrapper falls back to the
//! trait's unsafe default, for devices too.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use crate::guest_memory::unsafe_default;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm03;

impl Deviation for Gm03 {
    const HEALTH: Health = Health::defect(
        "GM-03",
        "the wrapper forwards scalar methods only, and its bulk methods are the trait's unsafe defaults",
    );

    fn read_bulk(_mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        unsafe_default::read_bulk(pa, buffer)
    }

    fn write_bulk(_mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        unsafe_default::write_bulk(pa, bytes)
    }
}
