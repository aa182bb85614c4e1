//! HF-01: the header before a pointer is read before anything else.
//!
//! A block without a header at the start of a mapping has nothing before it: the read faults.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::HEADER_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct Hf01;

impl Deviation for Hf01 {
    const HEALTH: Health =
        Health::defect("HF-01", "free reads the header before every pointer, and not every pointer has one");

    fn look_first(memory: &mut Memory, pointer: u64) {
        // What is there is looked at and not used: the defect is to look.
        std::hint::black_box(memory.load_u32(pointer.wrapping_sub(HEADER_BYTES)));
    }
}
