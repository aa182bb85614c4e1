//! HF-12: linked with invalid-free mode 0, the allocator gives its own pointers to libc.
//!
//! Mode 0 means that libc gets what is invalid. The test for it comes before the dispatch on the method.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use super::super::table::Block;
use memtwin_models::Health;
use memtwin_models::header_free::Mode;

/// The deviation.
#[derive(Debug)]
pub struct Hf12;

impl Deviation for Hf12 {
    const HEALTH: Health =
        Health::defect("HF-12", "linked, mode 0: blocks with a header go to libc before anybody asks whose they are");

    fn takes_for_own(_memory: &mut Memory, mode: Mode, _block: &Block) -> bool {
        mode != Mode::Direct0
    }
}
