//! TM-22: frame 0 is taken for nothing.
//!
//! The physical address 0 is what the kernel's lookup says of pages that are not mapped, and of the page in frame 0.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;
use memtwin_models::temp_map::mmu::{FLAGS, PRESENT};

/// The deviation.
#[derive(Debug)]
pub struct Frame0IsNothing;

impl Deviation for Frame0IsNothing {
    const NAME: &'static str = "TM-22";
    const HEALTH: Health =
        Health::Broken { defect: Some("TM-22"), story: "a page in frame 0 is taken for one that is not mapped" };

    fn physical_of(entry: u32) -> Option<u32> {
        (entry & PRESENT != 0 && entry & !FLAGS != 0).then_some(entry & !FLAGS)
    }
}

/// The subject `TM-22`.
pub type Tm22 = Program<Frame0IsNothing>;
