//! HF-10: a freed block is still one.
//!
//! The header of a freed block keeps its magic, and nothing else says that the block is gone: the second free is taken
//! for the first.

use super::super::deviation::Deviation;
use super::super::table::Table;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf10;

impl Deviation for Hf10 {
    const HEALTH: Health = Health::defect(
        "HF-10",
        "a freed block with a header is still taken for one, so that a second free is accepted",
    );

    fn forget(_table: &mut Table, _position: usize) {}
}
