//! PW-24: the permissions of upper levels are ignored.
//!
//! The processor takes the AND over all levels.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::Access;

/// The deviation.
#[derive(Debug)]
pub struct Pw24;

impl Deviation for Pw24 {
    const HEALTH: Health = Health::defect(
        "PW-24",
        "RW and NX are taken from the leaf alone, so a directory without RW still gives writable pages",
    );

    fn allowed_below(_upper: Access, own: Access) -> Access {
        own
    }
}
