//! PW-06: a non-canonical address aliases another.
//!
//! A guest that names an address no processor would take gets what lies elsewhere.

use super::super::deviation::Deviation;
use super::super::walker::PageRange;
use memtwin_models::Health;
use memtwin_models::page_walk::Refusal;

/// The deviation.
#[derive(Debug)]
pub struct Pw06;

impl Deviation for Pw06 {
    const HEALTH: Health = Health::defect(
        "PW-06",
        "the upper sixteen bits of an address are not looked at, so non-canonical addresses are others' aliases",
    );

    fn range(address: u64, length: u64) -> Result<PageRange, Refusal> {
        let last = length.checked_sub(1).and_then(|more| address.checked_add(more)).ok_or(Refusal::BadRange)?;
        let is_ascending = address << 16 <= last << 16;
        if is_ascending { Ok(PageRange::new(address, last)) } else { Err(Refusal::BadRange) }
    }
}
