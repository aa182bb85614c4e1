//! HF-01: the header before a pointer is read before anything else.
//!
//! A block without a header at the start of a mapping has nothing before it: the read faults.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use super::super::program::Program;
use memtwin_models::Health;
use memtwin_models::header_free::HEADER_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct BlindHeaderRead;

impl Deviation for BlindHeaderRead {
    const NAME: &'static str = "HF-01";
    const HEALTH: Health = Health::Broken {
        defect: Some("HF-01"),
        story: "free reads the header before every pointer, and not every pointer has one",
    };

    fn look_first(memory: &mut Memory, pointer: u64) {
        // What is there is looked at and not used: the defect is to look.
        std::hint::black_box(memory.load_u32(pointer.wrapping_sub(HEADER_BYTES)));
    }
}

/// The subject `HF-01`.
pub type Hf01 = Program<BlindHeaderRead>;
