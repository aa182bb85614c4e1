//! BH-12: a reallocation stays in place wherever the heap has room.
//!
//! Nobody looks whether another block lies behind.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct GrowsOverNeighbour;

impl Deviation for GrowsOverNeighbour {
    const NAME: &'static str = "BH-12";
    const HEALTH: Health = Health::Broken {
        defect: Some("BH-12"),
        story: "realloc grows a block in place without looking whether it is the last one",
    };

    fn stays_in_place(block: u64, size: u64, end: u64) -> bool {
        block.checked_add(size).is_some_and(|block_end| block_end <= end)
    }
}

/// The subject `BH-12`.
pub type Bh12 = Program<GrowsOverNeighbour>;
