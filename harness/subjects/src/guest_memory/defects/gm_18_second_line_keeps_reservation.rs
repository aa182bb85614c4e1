//! GM-18: a store over two lines kills the reservations of the first only.
//!
//! The line is computed from the store's address. An 8-byte store at 0x3c changes the line at 0x40 as well, and a
//! reservation there lives on.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::{AccessSize, GuestRange};
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::reservations::Lines;
use crate::guest_memory::hardened::{GuestPhysAddr, SoftMmu, VmError};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm18;

impl Deviation for Gm18 {
    const HEALTH: Health =
        Health::defect("GM-18", "a store over several 64-byte lines kills the reservations of its first line only");

    fn write(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        match mmu.route_scalar(pa, size)? {
            (size, Route::Memory) => {
                let range = GuestRange::of_scalar(pa, size)?;
                mmu.memory().bytes.write(range, |bytes| {
                    size.store(value, bytes);
                    mmu.memory().reservations.kill(first_line(pa));
                    mmu.memory().mark(range);
                })
            }
            (size, Route::Device(region, offset)) => region.store(offset, value, size),
        }
    }

    fn store_conditional(mmu: &mut SoftMmu, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        let size = mmu.route_reservable(pa, size)?;
        let memory = mmu.memory();
        let range = GuestRange::of_scalar(pa, size)?;
        memory.bytes.write(range, |bytes| {
            memory.reservations.store_if_live(mmu.owner(), pa, size, first_line(pa), || {
                size.store(value, bytes);
                memory.mark(range);
            })
        })
    }

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, bytes)?;
        match mmu.route(range)? {
            Route::Memory => mmu.memory().bytes.write(range, |target| {
                target.copy_from_slice(bytes);
                mmu.memory().mark(range);
                if !bytes.is_empty() {
                    mmu.memory().reservations.kill(first_line(pa));
                }
            }),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }
}

fn first_line(pa: GuestPhysAddr) -> Option<Lines> {
    Lines::spanning(pa, u64::from(AccessSize::Byte.bytes()))
}
