//! BH-21: a reallocation to another alignment keeps the old one.
//!
//! Allocations and reallocations that keep their alignment are right.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh21;

impl Deviation for Bh21 {
    const HEALTH: Health = Health::defect("BH-21", "a reallocation to another alignment ignores it");

    fn realloc_align(old: u64, _new: u64) -> u64 {
        old
    }
}
