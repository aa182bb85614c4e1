//! PW-12: an unaligned physical base leaks into the entry's bits.
//!
//! The entry is the address with the flags put in by OR.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::PAGE_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct Pw12;

impl Deviation for Pw12 {
    const HEALTH: Health = Health::defect(
        "PW-12",
        "the low bits of a mapping's physical address become flags: 0x200 makes a page copy-on-write",
    );

    fn is_aligned(_phys: u64, virt: u64, length: u64) -> bool {
        [virt, length].iter().all(|number| number.is_multiple_of(PAGE_BYTES))
    }
}
