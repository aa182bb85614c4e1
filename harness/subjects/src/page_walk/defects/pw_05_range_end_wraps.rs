//! PW-05: `address + length` wraps in the walk.
//!
//! The loop's end lies before its start and is never met.

use super::super::deviation::Deviation;
use super::super::hardened::Sound;
use super::super::walker::PageRange;
use memtwin_models::Health;
use memtwin_models::page_walk::Refusal;

/// The deviation.
#[derive(Debug)]
pub struct Pw05;

impl Deviation for Pw05 {
    const HEALTH: Health = Health::defect(
        "PW-05",
        "a range that wraps around the end of the address space is walked to the end of everything",
    );

    fn range(address: u64, length: u64) -> Result<PageRange, Refusal> {
        match address.checked_add(length.wrapping_sub(1)) {
            Some(_) => Sound::range(address, length),
            None => Ok(PageRange::to_the_end(address)),
        }
    }
}
