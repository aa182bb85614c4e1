//! PW-02: coalescing regions ignores their type.
//!
//! A region that is to be copied before the first write then passes for plain memory, or the other way round.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::RegionKind;

/// The deviation.
#[derive(Debug)]
pub struct TypeIgnored;

impl Deviation for TypeIgnored {
    const NAME: &'static str = "PW-02";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-02"),
        story: "regions of copy-on-write and of plain pages become one where their flags are equal",
    };

    fn is_same_kind(_left: RegionKind, _right: RegionKind) -> bool {
        true
    }
}

/// The subject `PW-02`.
pub type Pw02 = Host<TypeIgnored>;
