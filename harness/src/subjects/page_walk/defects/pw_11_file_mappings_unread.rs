//! PW-11: reads ignore the file mappings that the list shows.
//!
//! Who reads what the list shows gets an error.

use super::super::deviation::Deviation;
use super::super::sandbox::Placed;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct FileMappingsUnread;

impl Deviation for FileMappingsUnread {
    const NAME: &'static str = "PW-11";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-11"),
        story: "a read looks at scratch and the snapshot only, while the region list has file mappings too",
    };

    fn readable(backings: &[Placed]) -> &[Placed] {
        &backings[..2]
    }
}

/// The subject `PW-11`.
pub type Pw11 = Host<FileMappingsUnread>;
