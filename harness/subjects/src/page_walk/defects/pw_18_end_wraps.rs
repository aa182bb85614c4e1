//! PW-18: the bound check of a host read wraps.
//!
//! The bytes before the backing, or far from it, are read.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw18;

impl Deviation for Pw18 {
    const HEALTH: Health = Health::defect(
        "PW-18",
        "`offset + length` of a host read wraps around the end of the address space and passes",
    );

    fn fits(offset: u64, length: u64, size: u64) -> bool {
        offset.wrapping_add(length) <= size
    }
}
