//! PW-09: a walk has no bound.
//!
//! One page of the guest's memory costs the host hours.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::WorkBounds;

/// The deviation.
#[derive(Debug)]
pub struct EndlessWalk;

impl Deviation for EndlessWalk {
    const NAME: &'static str = "PW-09";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-09"),
        story: "a root that points to itself everywhere is walked through all of its 512^4 leaves",
    };

    fn is_within_bounds(_bounds: WorkBounds, _visits: u64, _leaves: u64) -> bool {
        true
    }
}

/// The subject `PW-09`.
pub type Pw09 = Host<EndlessWalk>;
