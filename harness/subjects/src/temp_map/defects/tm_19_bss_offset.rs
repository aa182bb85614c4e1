//! TM-19: the loader takes a segment's size for an offset in its page.
//!
//! Where the segment does not begin on a page, zeroes begin too early, over bytes of the file, or too late, after bytes
//! of whoever had the frame before.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::temp_map::{PAGE_BYTES, Segment};

/// The deviation.
#[derive(Debug)]
pub struct Tm19;

impl Deviation for Tm19 {
    const HEALTH: Health = Health::defect("TM-19", "bss is cleared from the wrong offset in its page");

    fn bss_offset(segment: &Segment) -> u32 {
        segment.file_bytes % PAGE_BYTES
    }
}
