//! HP-06: a block that grows zeroed is cleared from the end of what it took, not of what was asked for.
//!
//! The bytes between hold what they held (the rezalloc of bun, issue 31177).

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp06;

impl Deviation for Hp06 {
    const HEALTH: Health = Health::defect(
        "HP-06",
        "a block that grows zeroed is cleared from the end of what it took, not of what was asked for",
    );

    fn zeroed_from(_old: usize, taken: usize) -> usize {
        taken
    }
}
