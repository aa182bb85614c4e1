//! BH-10: the head is not advanced by the padding.
//!
//! A block that was moved up for its alignment reaches into the next one.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct PaddingNotCounted;

impl Deviation for PaddingNotCounted {
    const NAME: &'static str = "BH-10";
    const HEALTH: Health = Health::Broken {
        defect: Some("BH-10"),
        story: "the head advances by the size alone, so a block that needed padding overlaps the next",
    };

    fn advance(head: u64, _aligned: u64, size: u64) -> Option<u64> {
        head.checked_add(size)
    }
}

/// The subject `BH-10`.
pub type Bh10 = Program<PaddingNotCounted>;
