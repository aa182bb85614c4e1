//! PW-23: a gap between two mappings is read through.
//!
//! Only the first and the last page are looked at.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct ReadsThroughGaps;

impl Deviation for ReadsThroughGaps {
    const NAME: &'static str = "PW-23";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-23"),
        story: "a hole in the middle of a read is filled with zeros instead of being an error",
    };

    fn follows(position: u64, next: u64) -> bool {
        position <= next
    }
}

/// The subject `PW-23`.
pub type Pw23 = Host<ReadsThroughGaps>;
