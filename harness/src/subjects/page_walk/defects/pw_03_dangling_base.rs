//! PW-03: an empty slice gives a dangling host base.
//!
//! The base of an empty slice is no address of anything. The guest's length stays a whole page.

use super::super::deviation::Deviation;
use super::super::sandbox::Run;
use super::super::subject::Host;
use memtwin_models::Health;

/// The address of an empty slice of bytes.
const DANGLING: u64 = 1;

/// The deviation.
#[derive(Debug)]
pub struct DanglingBase;

impl Deviation for DanglingBase {
    const NAME: &'static str = "PW-03";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-03"),
        story: "a page that no backing holds becomes a region whose host base is that of an empty slice",
    };

    fn run_without_backing() -> Option<Run> {
        Some(Run { index: 0, host: DANGLING, bytes: 0 })
    }
}

/// The subject `PW-03`.
pub type Pw03 = Host<DanglingBase>;
