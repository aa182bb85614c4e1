//! HF-17: a later version: the check is deleted, because the registries know everything.
//!
//! What is in no registry is taken for a block with a header, and its header is read unchecked.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, Kind};

/// The deviation.
#[derive(Debug)]
pub struct Hf17;

impl Deviation for Hf17 {
    const HEALTH: Health =
        Health::defect("HF-17", "what no registry knows is taken for a block with a header, which is read unchecked");

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        std::hint::black_box(memory.load_u32(pointer.wrapping_sub(HEADER_BYTES)));
        None
    }
}
