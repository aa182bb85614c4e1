//! HP-14: realloc of a large block keeps only what was asked for, though usable_size granted more.
//!
//! What the program wrote behind is lost (scudo, llvm pull request 189724).

use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp14;

impl Deviation for Hp14 {
    const HEALTH: Health = Health::defect(
        "HP-14",
        "realloc of a large block keeps only what was asked for, though usable_size granted more",
    );

    fn kept_bytes(asked: usize, _usable: usize) -> usize {
        asked
    }
}
