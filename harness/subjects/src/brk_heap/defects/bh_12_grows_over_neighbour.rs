//! BH-12: a reallocation stays in place wherever the heap has room.
//!
//! Nobody looks whether another block lies behind.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh12;

impl Deviation for Bh12 {
    const HEALTH: Health =
        Health::defect("BH-12", "realloc grows a block in place without looking whether it is the last one");

    fn stays_in_place(block: u64, size: u64, end: u64) -> bool {
        block.checked_add(size).is_some_and(|block_end| block_end <= end)
    }
}
