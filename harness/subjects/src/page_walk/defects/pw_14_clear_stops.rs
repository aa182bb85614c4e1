//! PW-14: clear stops at the first error.
//!
//! A guest that corrupts one back-pointer keeps the buffer from being emptied.

use super::super::deviation::Deviation;
use super::super::sandbox::Sandbox;
use memtwin_models::Health;
use memtwin_models::page_walk::Refusal;

/// The deviation.
#[derive(Debug)]
pub struct Pw14;

impl Deviation for Pw14 {
    const HEALTH: Health =
        Health::defect("PW-14", "clear pops until something makes no sense, and leaves the rest: stale data survives");

    fn clear(sandbox: &mut Sandbox<Self>) -> Result<(), Refusal> {
        sandbox.clear_by_popping()
    }
}
