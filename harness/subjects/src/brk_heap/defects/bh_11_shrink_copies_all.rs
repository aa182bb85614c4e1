//! BH-11: a shrinking reallocation copies the old size.
//!
//! The copy goes on beyond the end of the new block.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh11;

impl Deviation for Bh11 {
    const HEALTH: Health =
        Health::defect("BH-11", "a shrinking realloc copies the old size and writes beyond the new block");

    fn copied_bytes(old: u64, _new: u64) -> u64 {
        old
    }
}
