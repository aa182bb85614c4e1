//! PW-10: length 0 is an error when aligned, and a page when not.
//!
//! The last page is computed from the address before the range's end.

use super::super::deviation::Deviation;
use super::super::walker::PageRange;
use memtwin_models::Health;
use memtwin_models::page_walk::{PAGE_BYTES, Refusal};

/// The deviation.
#[derive(Debug)]
pub struct Pw10;

impl Deviation for Pw10 {
    const HEALTH: Health =
        Health::defect("PW-10", "a walk of no bytes fails at an aligned address and gives a page at another");

    fn empty_range(address: u64) -> Result<Option<PageRange>, Refusal> {
        if address.is_multiple_of(PAGE_BYTES) {
            Err(Refusal::BadRange)
        } else {
            Ok(Some(PageRange::new(address, address)))
        }
    }
}
