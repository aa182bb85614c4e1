//! GM-10: a bulk write that is refused, because it runs from memory into a device, leaves its first bytes in memory.
//!
//! The transfer is done byte by byte as far as memory goes; the device is noticed when it is reached. The error is
//! right, the memory behind it is not.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::{AccessSize, GuestRange};
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, MemoryAccess, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm10;

impl Deviation for Gm10 {
    const HEALTH: Health = Health::defect(
        "GM-10",
        "a refused bulk write from memory into a device leaves its bytes before the device applied",
    );

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, bytes)?;
        let Err(refused) = mmu.route(range) else { return mmu.write_bulk(pa, bytes) };
        let before_device = (range.start()..range.end()).zip(bytes).take_while(|&(address, _)| {
            let byte = GuestRange::of_scalar(GuestPhysAddr::new(address), AccessSize::Byte);
            matches!(byte.and_then(|byte| mmu.route(byte)), Ok(Route::Memory))
        });
        for (address, &byte) in before_device {
            mmu.memory().store(GuestPhysAddr::new(address), u64::from(byte), AccessSize::Byte)?;
        }
        Err(refused)
    }
}
