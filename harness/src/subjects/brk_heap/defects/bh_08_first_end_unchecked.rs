//! BH-08: the second answer of the first use is not checked.
//!
//! A kernel that refuses with 0 gives the heap an end below its head.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct FirstEndUnchecked;

impl Deviation for FirstEndUnchecked {
    const NAME: &'static str = "BH-08";
    const HEALTH: Health =
        Health::Broken { defect: Some("BH-08"), story: "the first use takes whatever brk answers for the heap's end" };

    fn first_end(_head: u64, _wanted: u64, result: u64) -> u64 {
        result
    }
}

/// The subject `BH-08`.
pub type Bh08 = Program<FirstEndUnchecked>;
