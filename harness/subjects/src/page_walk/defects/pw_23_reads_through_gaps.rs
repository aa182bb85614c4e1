//! PW-23: a gap between two mappings is read through.
//!
//! Only the first and the last page are looked at.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw23;

impl Deviation for Pw23 {
    const HEALTH: Health =
        Health::defect("PW-23", "a hole in the middle of a read is filled with zeros instead of being an error");

    fn follows(position: u64, next: u64) -> bool {
        position <= next
    }
}
