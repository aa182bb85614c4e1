//! PW-07: the position overflows at the top of the address space.
//!
//! The position after the last byte is 2^64, which fits no number of 64 bits.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw07;

impl Deviation for Pw07 {
    const HEALTH: Health = Health::defect("PW-07", "a read panics when it has read the last page of the address space");

    fn advance(position: u64, bytes: u64) -> u64 {
        let Some(next) = position.checked_add(bytes) else {
            panic!("attempt to add with overflow: {position:#x} + {bytes:#x}")
        };
        next
    }
}
