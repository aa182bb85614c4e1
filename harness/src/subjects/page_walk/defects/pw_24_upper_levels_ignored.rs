//! PW-24: the permissions of upper levels are ignored.
//!
//! The processor takes the AND over all levels.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::Access;

/// The deviation.
#[derive(Debug)]
pub struct UpperLevelsIgnored;

impl Deviation for UpperLevelsIgnored {
    const NAME: &'static str = "PW-24";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-24"),
        story: "RW and NX are taken from the leaf alone, so a directory without RW still gives writable pages",
    };

    fn allowed_below(_upper: Access, own: Access) -> Access {
        own
    }
}

/// The subject `PW-24`.
pub type Pw24 = Host<UpperLevelsIgnored>;
