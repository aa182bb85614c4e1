//! BH-07: a refused brk is taken for success.
//!
//! The allocator does not compare the answer with what it asked for, and hands out what it did not get.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::brk_heap::is_error_number;

/// The deviation.
#[derive(Debug)]
pub struct Bh07;

impl Deviation for Bh07 {
    const HEALTH: Health =
        Health::defect("BH-07", "the allocator takes a refused brk for success and hands out memory beyond the break");

    fn is_granted(_wanted: u64, _result: u64) -> bool {
        true
    }

    fn first_end(head: u64, wanted: u64, result: u64) -> u64 {
        if wanted <= result && !is_error_number(result) { result } else { head }
    }
}
