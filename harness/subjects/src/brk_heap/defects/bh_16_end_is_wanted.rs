//! BH-16: the heap's end is set to what is wanted, not to what is granted.
//!
//! It is set before the kernel answers. After a refusal the next small request is served from pages that are not there.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh16;

impl Deviation for Bh16 {
    const HEALTH: Health = Health::defect(
        "BH-16",
        "the heap's end is set to what the allocator wants, and stays there when the kernel refuses",
    );

    fn end_while_asking(_end: u64, wanted: u64) -> u64 {
        wanted
    }

    fn end_after(wanted: u64, _result: u64) -> u64 {
        wanted
    }
}
