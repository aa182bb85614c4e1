//! GM-09: a scalar access decides by its first byte who answers.
//!
//! An 8-byte read that ends inside a device reads the memory beneath, and one that begins in the last register of a
//! device asks for seven more that do not exist.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::{AccessSize, GuestRange};
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::physical::low_word;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm09;

impl Deviation for Gm09 {
    const HEALTH: Health =
        Health::defect("GM-09", "a scalar access decides between device and memory by its first byte only");

    fn read(mmu: &SoftMmu, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        match route_by_start(mmu, pa, size)? {
            (size, Route::Memory) => mmu.memory().load(pa, size),
            (size, Route::Device(region, offset)) => region.load(offset, size),
        }
    }

    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        match route_by_start(mmu, pa, size)? {
            (size, Route::Memory) => mmu.memory().store(pa, value, size),
            (size, Route::Device(region, offset)) => region.store(offset, value, size),
        }
    }

    fn fetch_insn(mmu: &SoftMmu, pc: GuestPhysAddr) -> Result<u32, VmError> {
        Self::read(mmu, pc, AccessSize::Word.bytes()).map(low_word)
    }
}

fn route_by_start(mmu: &SoftMmu, pa: GuestPhysAddr, size: u8) -> Result<(AccessSize, Route<'_>), VmError> {
    let (size, _) = mmu.check_scalar(pa, size)?;
    Ok((size, mmu.route(GuestRange::of_scalar(pa, AccessSize::Byte)?)?))
}
