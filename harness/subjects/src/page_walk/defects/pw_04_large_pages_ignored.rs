//! PW-04: PS is ignored: a large page is read as a table.
//!
//! What the page holds then decides what is mapped.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw04;

impl Deviation for Pw04 {
    const HEALTH: Health = Health::defect(
        "PW-04",
        "an entry with PS is taken for a table, so the bytes of a large page are taken for entries",
    );

    fn is_large(_entry: u64, _level: u32) -> bool {
        false
    }
}
