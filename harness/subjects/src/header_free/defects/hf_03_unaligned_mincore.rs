//! HF-03: `mincore` is asked about the header's own address.
//!
//! An address that is not a multiple of the page size is EINVAL, whatever is there: a valid block is taken for
//! unmapped, and the preloaded allocator hands it to libc, which does not know it.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use super::super::page_map::EINVAL;
use super::super::table::Block;
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, Mode};

/// What `mincore` says of the header before a pointer, asked as the published fix asks; errno stays as it was.
pub(in super::super) fn ask(memory: &mut Memory, pointer: u64) -> Result<(), i32> {
    let errno = memory.errno;
    let answer = memory.mincore(pointer.wrapping_sub(HEADER_BYTES), 1);
    memory.errno = errno;
    answer
}

/// The deviation.
#[derive(Debug)]
pub struct Hf03;

impl Deviation for Hf03 {
    const HEALTH: Health = Health::defect(
        "HF-03",
        "preloaded: mincore is given the header's unaligned address, and EINVAL is taken for unmapped",
    );

    fn takes_for_own(memory: &mut Memory, mode: Mode, block: &Block) -> bool {
        mode != Mode::LdPreload || ask(memory, block.user) != Err(EINVAL)
    }
}
