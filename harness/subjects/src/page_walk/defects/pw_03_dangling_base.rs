//! PW-03: an empty slice gives a dangling host base.
//!
//! The base of an empty slice is no address of anything. The guest's length stays a whole page.

use super::super::deviation::Deviation;
use super::super::sandbox::Run;
use memtwin_models::Health;

/// The address of an empty slice of bytes.
const DANGLING: u64 = 1;

/// The deviation.
#[derive(Debug)]
pub struct Pw03;

impl Deviation for Pw03 {
    const HEALTH: Health = Health::defect(
        "PW-03",
        "a page that no backing holds becomes a region whose host base is that of an empty slice",
    );

    fn run_without_backing() -> Option<Run> {
        Some(Run { index: 0, host: DANGLING, bytes: 0 })
    }
}
