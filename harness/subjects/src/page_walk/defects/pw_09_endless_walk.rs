//! PW-09: a walk has no bound.
//!
//! One page of the guest's memory costs the host hours.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::WorkBounds;

/// The deviation.
#[derive(Debug)]
pub struct Pw09;

impl Deviation for Pw09 {
    const HEALTH: Health =
        Health::defect("PW-09", "a root that points to itself everywhere is walked through all of its 512^4 leaves");

    fn is_within_bounds(_bounds: WorkBounds, _visits: u64, _leaves: u64) -> bool {
        true
    }
}
