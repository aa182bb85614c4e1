//! PW-02: coalescing regions ignores their type.
//!
//! A region that is to be copied before the first write then passes for plain memory, or the other way round.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::RegionKind;

/// The deviation.
#[derive(Debug)]
pub struct Pw02;

impl Deviation for Pw02 {
    const HEALTH: Health =
        Health::defect("PW-02", "regions of copy-on-write and of plain pages become one where their flags are equal");

    fn is_same_kind(_left: RegionKind, _right: RegionKind) -> bool {
        true
    }
}
