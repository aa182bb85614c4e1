//! HF-19: one path of allocation enters its block nowhere.
//!
//! Big blocks that come from the cache are handed out without an entry: nobody knows them when they are freed.

use super::super::deviation::Deviation;
use super::super::program::Program;
use super::super::table::Block;
use super::super::table::Table;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct CachedBlockUnregistered;

impl Deviation for CachedBlockUnregistered {
    const NAME: &'static str = "HF-19";
    const HEALTH: Health = Health::Broken {
        defect: Some("HF-19"),
        story: "a big block that comes from the cache is not entered into the books",
    };

    fn note_cached(_table: &mut Table, _block: Block) {}
}

/// The subject `HF-19`.
pub type Hf19 = Program<CachedBlockUnregistered>;
