//! HF-10: a freed block is still one.
//!
//! The header of a freed block keeps its magic, and nothing else says that the block is gone: the second free is taken for the
//! first.

use super::super::deviation::Deviation;
use super::super::program::Program;
use super::super::table::Table;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct FreedBlockStays;

impl Deviation for FreedBlockStays {
    const NAME: &'static str = "HF-10";
    const HEALTH: Health = Health::Broken {
        defect: Some("HF-10"),
        story: "a freed block with a header is still taken for one, so that a second free is accepted",
    };

    fn forget(_table: &mut Table, _position: usize) {}
}

/// The subject `HF-10`.
pub type Hf10 = Program<FreedBlockStays>;
