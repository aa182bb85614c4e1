//! GM-11: the bound check lets one byte too many pass.
//!
//! The allocation has a spare byte, and the check compares with the allocation's size instead of the memory's. An
//! access that ends one byte beyond memory succeeds.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{MemoryAccess, PhysicalMemory, SoftMmu};
use crate::guest_memory::sound;
use memtwin_models::guest_memory::{GuestMemoryContract, Setup};
use memtwin_models::{Contract as _, Health, Unsupported};
use std::sync::Arc;

/// The deviation.
#[derive(Debug)]
pub struct Gm11;

impl Deviation for Gm11 {
    const HEALTH: Health =
        Health::defect("GM-11", "the bound check lets accesses pass that end one byte beyond memory");

    // The log would have the page of the spare byte.
    const CONTRACT: GuestMemoryContract =
        GuestMemoryContract { flat_ram: true, no_dirty_log: true, ..GuestMemoryContract::STRICT };

    fn memory(setup: &Setup) -> Result<Arc<PhysicalMemory>, Unsupported> {
        sound::lazy_memory(setup, setup.memory_size + SPARE_BYTES)
    }

    fn memory_size(mmu: &SoftMmu) -> u64 {
        mmu.memory().size() - SPARE_BYTES
    }

    fn dump_memory(mmu: &SoftMmu) -> Vec<u8> {
        let mut dump = mmu.dump_memory();
        dump.pop();
        dump
    }

    fn restore_memory(mmu: &mut SoftMmu, bytes: &[u8]) -> Result<(), String> {
        let mut allocation = mmu.dump_memory();
        let (_spare, memory) = allocation.split_last_mut().ok_or("the allocation has no spare byte")?;
        if bytes.len() != memory.len() {
            return Err(format!("cannot restore {} bytes into a memory of {} bytes", bytes.len(), memory.len()));
        }
        memory.copy_from_slice(bytes);
        mmu.restore_memory(&allocation)
    }
}

/// What the allocation has beyond memory, in bytes.
const SPARE_BYTES: u64 = 1;
