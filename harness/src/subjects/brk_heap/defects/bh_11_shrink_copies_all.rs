//! BH-11: a shrinking reallocation copies the old size.
//!
//! The copy goes on beyond the end of the new block.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct ShrinkCopiesAll;

impl Deviation for ShrinkCopiesAll {
    const NAME: &'static str = "BH-11";
    const HEALTH: Health = Health::Broken {
        defect: Some("BH-11"),
        story: "a shrinking realloc copies the old size and writes beyond the new block",
    };

    fn copied_bytes(old: u64, _new: u64) -> u64 {
        old
    }
}

/// The subject `BH-11`.
pub type Bh11 = Program<ShrinkCopiesAll>;
