//! GM-12: a bulk transfer over three or more shards goes wrong from the third on.
//!
//! The place in the caller's buffer is computed when the second shard is reached and never advanced, so every later
//! shard starts again at the bytes of the second. Two shards, which is what a test of a border tries, work.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::access::GuestRange;
use crate::guest_memory::hardened::mmio::Route;
use crate::guest_memory::hardened::{GuestPhysAddr, PhysicalMemory, SoftMmu, VmError};
use memtwin_models::Health;
use std::ops::Range;

/// The deviation.
#[derive(Debug)]
pub struct Gm12;

impl Deviation for Gm12 {
    const HEALTH: Health = Health::defect(
        "GM-12",
        "a bulk transfer over three or more shards restarts at the wrong place of the caller's buffer",
    );

    fn read_bulk(mmu: &SoftMmu, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, buffer)?;
        match mmu.route(range)? {
            Route::Memory => mmu.memory().bytes.read(range, |bytes| {
                for (in_memory, in_buffer) in pieces(mmu.memory(), range) {
                    buffer[in_buffer].copy_from_slice(&bytes[in_memory]);
                }
            }),
            Route::Device(region, offset) => region.load_bulk(offset, buffer),
        }
    }

    fn write_bulk(mmu: &mut SoftMmu, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, bytes)?;
        match mmu.route(range)? {
            Route::Memory => mmu.memory().bytes.write(range, |target| {
                for (in_memory, in_buffer) in pieces(mmu.memory(), range) {
                    target[in_memory].copy_from_slice(&bytes[in_buffer]);
                }
                mmu.memory().stored(range);
            }),
            Route::Device(region, offset) => region.store_bulk(offset, bytes),
        }
    }
}

/// For each shard of a range in memory: its bytes, counted from the start of the range, and where they are said to be
/// in the caller's buffer.
fn pieces(memory: &PhysicalMemory, range: GuestRange) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let host_sized = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let length = host_sized(range.length());
    let shard_size = host_sized(memory.shard_size()).max(1);
    let first_length = (shard_size - host_sized(range.start()) % shard_size).min(length);
    let later = (first_length..length).step_by(shard_size).map(move |start| {
        let end = length.min(start + shard_size);
        (start..end, first_length..first_length + (end - start))
    });
    std::iter::once((0..first_length, 0..first_length)).chain(later)
}
