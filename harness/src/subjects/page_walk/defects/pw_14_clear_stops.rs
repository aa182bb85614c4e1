//! PW-14: clear stops at the first error.
//!
//! A guest that corrupts one back-pointer keeps the buffer from being emptied.

use super::super::deviation::Deviation;
use super::super::sandbox::Sandbox;
use super::super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::Refusal;

/// The deviation.
#[derive(Debug)]
pub struct ClearStops;

impl Deviation for ClearStops {
    const NAME: &'static str = "PW-14";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-14"),
        story: "clear pops until something makes no sense, and leaves the rest: stale data survives",
    };

    fn clear(sandbox: &mut Sandbox<Self>) -> Result<(), Refusal> {
        sandbox.clear_by_popping()
    }
}

/// The subject `PW-14`.
pub type Pw14 = Host<ClearStops>;
