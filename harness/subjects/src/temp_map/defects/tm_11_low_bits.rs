//! TM-11: low bits of a physical address go into the entry.
//!
//! Bit 2 makes the mapping a user's, bit 9 makes it copy-on-write.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm11;

impl Deviation for Tm11 {
    const HEALTH: Health =
        Health::defect("TM-11", "map_temp_page takes addresses off a frame's start, and their low bits become flags");

    fn is_frame(_physical: u32) -> bool {
        true
    }
}
