//! HF-11: any error of `mincore` means unmapped, and errno tells of it.
//!
//! EAGAIN and ENOSYS say nothing about the address. Where they come, valid blocks are handed to libc; and a free that
//! succeeds leaves their number in errno.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use super::super::table::Block;
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, Kind, Mode, PAGE_BYTES};

/// Whether every page of the header before a pointer is mapped, as far as `mincore` can say.
fn is_mapped(memory: &mut Memory, pointer: u64) -> bool {
    let first = pointer.saturating_sub(HEADER_BYTES) & !(PAGE_BYTES - 1);
    memory.mincore(first, pointer - first).is_ok()
}

/// The deviation.
#[derive(Debug)]
pub struct Hf11;

impl Deviation for Hf11 {
    const HEALTH: Health =
        Health::defect("HF-11", "mincore's EAGAIN and ENOSYS are taken for unmapped, and stay in errno");

    fn takes_for_own(memory: &mut Memory, _mode: Mode, block: &Block) -> bool {
        is_mapped(memory, block.user)
    }

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        let errno = memory.errno;
        // An address that is not mapped is an answer; what the plan makes fail is none.
        if memory.map.get(pointer).is_none() || is_mapped(memory, pointer) {
            memory.errno = errno;
        }
        None
    }
}
