//! HF-19: one path of allocation enters its block nowhere.
//!
//! Big blocks that come from the cache are handed out without an entry: nobody knows them when they are freed.

use super::super::deviation::Deviation;
use super::super::table::Block;
use super::super::table::Table;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf19;

impl Deviation for Hf19 {
    const HEALTH: Health =
        Health::defect("HF-19", "a big block that comes from the cache is not entered into the books");

    fn note_cached(_table: &mut Table, _block: Block) {}
}
