//! PW-29: bit 7 of a 4 KiB page is taken for that of a large one.
//!
//! At the lowest level it is PAT, and says how the page is cached.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::translate::LARGE;

/// The deviation.
#[derive(Debug)]
pub struct Pw29;

impl Deviation for Pw29 {
    const HEALTH: Health = Health::defect(
        "PW-29",
        "a page of 4 KiB whose entry has bit 7 is missing: the bit is taken for that of large pages",
    );

    fn is_valid_small(entry: u64) -> bool {
        entry & LARGE == 0
    }
}
