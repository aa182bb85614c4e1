//! GM-07: the bulk path bypasses devices.
//!
//! Bulk access goes straight to memory. Over a device it reads and writes the bytes beneath, and the device never hears
//! of it.

use super::deviation::{Deviating, Deviation};
use crate::subjects::guest_memory::adapter::Adapter;
use crate::subjects::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};

/// The deviation.
#[derive(Debug)]
pub struct BulkBypassesDevices;

impl Deviation for BulkBypassesDevices {
    const ID: &'static str = "GM-07";
    const STORY: &'static str = "bulk access goes to the memory beneath a device instead of to the device";

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        mmu.memory().load_bulk(pa, buffer)
    }

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        mmu.memory().store_bulk(pa, bytes)
    }
}

/// The subject `GM-07`.
pub type Gm07 = Adapter<Deviating<BulkBypassesDevices>>;
