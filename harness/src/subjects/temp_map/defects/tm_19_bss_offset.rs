//! TM-19: the loader takes a segment's size for an offset in its page.
//!
//! Where the segment does not begin on a page, zeroes begin too early, over bytes of the file, or too late, after bytes
//! of whoever had the frame before.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;
use memtwin_models::temp_map::{PAGE_BYTES, Segment};

/// The deviation.
#[derive(Debug)]
pub struct BssOffset;

impl Deviation for BssOffset {
    const NAME: &'static str = "TM-19";
    const HEALTH: Health =
        Health::Broken { defect: Some("TM-19"), story: "bss is cleared from the wrong offset in its page" };

    fn bss_offset(segment: &Segment) -> u32 {
        segment.file_bytes % PAGE_BYTES
    }
}

/// The subject `TM-19`.
pub type Tm19 = Program<BssOffset>;
