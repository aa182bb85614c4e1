//! BH-09: alignments above 16 are taken for 16.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct AlignmentEndsAt16;

impl Deviation for AlignmentEndsAt16 {
    const NAME: &'static str = "BH-09";
    const HEALTH: Health =
        Health::Broken { defect: Some("BH-09"), story: "the allocator aligns blocks to at most 16 bytes" };

    fn mask(align: u64) -> u64 {
        align.min(16) - 1
    }
}

/// The subject `BH-09`.
pub type Bh09 = Program<AlignmentEndsAt16>;
