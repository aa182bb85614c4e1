//! BH-10: the head is not advanced by the padding.
//!
//! A block that was moved up for its alignment reaches into the next one.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh10;

impl Deviation for Bh10 {
    const HEALTH: Health = Health::defect(
        "BH-10",
        "the head advances by the size alone, so a block that needed padding overlaps the next",
    );

    fn advance(head: u64, _aligned: u64, size: u64) -> Option<u64> {
        head.checked_add(size)
    }
}
