//! BH-08: the second answer of the first use is not checked.
//!
//! A kernel that refuses with 0 gives the heap an end below its head.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh08;

impl Deviation for Bh08 {
    const HEALTH: Health = Health::defect("BH-08", "the first use takes whatever brk answers for the heap's end");

    fn first_end(_head: u64, _wanted: u64, result: u64) -> u64 {
        result
    }
}
