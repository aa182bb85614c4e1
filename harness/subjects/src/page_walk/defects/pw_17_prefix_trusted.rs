//! PW-17: pop trusts the size prefix.
//!
//! The guest can write the prefix.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw17;

impl Deviation for Pw17 {
    const HEALTH: Health = Health::defect(
        "PW-17",
        "the element's size is its prefix and four, as a number of 32 bits: up to 4 GiB are reserved, or the sum wraps",
    );

    fn prefixed_bytes(prefix: u32, _element_bytes: u64) -> Option<u64> {
        Some(u64::from(prefix.wrapping_add(4)))
    }
}
