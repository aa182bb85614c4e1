//! TM-11: low bits of a physical address go into the entry.
//!
//! Bit 2 makes the mapping a user's, bit 9 makes it copy-on-write.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct LowBits;

impl Deviation for LowBits {
    const NAME: &'static str = "TM-11";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-11"),
        story: "map_temp_page takes addresses off a frame's start, and their low bits become flags",
    };

    fn is_frame(_physical: u32) -> bool {
        true
    }
}

/// The subject `TM-11`.
pub type Tm11 = Program<LowBits>;
