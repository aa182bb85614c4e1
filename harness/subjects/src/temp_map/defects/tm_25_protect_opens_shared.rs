//! TM-25: a page that gets its write right back gets it at once, whoever else has its frame.
//!
//! Two processes write to one frame from there on. The store to a shared page, the other way to write, is right.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm25;

impl Deviation for Tm25 {
    const HEALTH: Health = Health::defect("TM-25", "protect_page makes a frame writable that another process shares");

    fn protected_flags(_entry: u32, flags: u32, _references: u32) -> u32 {
        flags
    }
}
