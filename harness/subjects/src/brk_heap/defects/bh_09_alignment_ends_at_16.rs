//! BH-09: alignments above 16 are taken for 16.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh09;

impl Deviation for Bh09 {
    const HEALTH: Health = Health::defect("BH-09", "the allocator aligns blocks to at most 16 bytes");

    fn mask(align: u64) -> u64 {
        align.min(16) - 1
    }
}
