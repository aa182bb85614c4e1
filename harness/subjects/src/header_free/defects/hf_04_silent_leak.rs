//! HF-04: `mincore` is asked about the header's own address, in a linked program.
//!
//! As HF-03, but the valid block ends in the tiny free, which ignores pointers that it does not know: nobody hears of
//! it, and the block is never freed.

use super::super::deviation::Deviation;
use super::super::deviation::Fallback;
use super::super::memory::Memory;
use super::super::page_map::EINVAL;
use super::super::table::Block;
use super::hf_03_unaligned_mincore::ask;
use memtwin_models::Health;
use memtwin_models::header_free::Mode;

/// The published fallback: in mode 1 the tiny free gets what nobody knows.
pub(in super::super) fn ignoring_fallback(mode: Mode) -> Fallback {
    match mode {
        Mode::LdPreload | Mode::Direct0 => Fallback::Libc,
        Mode::Direct1 => Fallback::Ignore,
    }
}

/// The deviation.
#[derive(Debug)]
pub struct Hf04;

impl Deviation for Hf04 {
    const HEALTH: Health = Health::defect(
        "HF-04",
        "linked, mode 1: mincore is given the header's unaligned address, and the block is freed into a path that \
         ignores it",
    );

    fn takes_for_own(memory: &mut Memory, mode: Mode, block: &Block) -> bool {
        mode != Mode::Direct1 || ask(memory, block.user) != Err(EINVAL)
    }

    fn fallback(mode: Mode) -> Fallback {
        ignoring_fallback(mode)
    }
}
