//! TM-22: frame 0 is taken for nothing.
//!
//! The physical address 0 is what the kernel's lookup says of pages that are not mapped, and of the page in frame 0.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::temp_map::mmu::{FLAGS, PRESENT};

/// The deviation.
#[derive(Debug)]
pub struct Tm22;

impl Deviation for Tm22 {
    const HEALTH: Health = Health::defect("TM-22", "a page in frame 0 is taken for one that is not mapped");

    fn physical_of(entry: u32) -> Option<u32> {
        (entry & PRESENT != 0 && entry & !FLAGS != 0).then_some(entry & !FLAGS)
    }
}
