//! PW-11: reads ignore the file mappings that the list shows.
//!
//! Who reads what the list shows gets an error.

use super::super::deviation::Deviation;
use super::super::sandbox::Placed;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw11;

impl Deviation for Pw11 {
    const HEALTH: Health = Health::defect(
        "PW-11",
        "a read looks at scratch and the snapshot only, while the region list has file mappings too",
    );

    fn readable(backings: &[Placed]) -> &[Placed] {
        &backings[..2]
    }
}
