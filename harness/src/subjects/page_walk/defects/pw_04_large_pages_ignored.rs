//! PW-04: PS is ignored: a large page is read as a table.
//!
//! What the page holds then decides what is mapped.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct LargePagesIgnored;

impl Deviation for LargePagesIgnored {
    const NAME: &'static str = "PW-04";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-04"),
        story: "an entry with PS is taken for a table, so the bytes of a large page are taken for entries",
    };

    fn is_large(_entry: u64, _level: u32) -> bool {
        false
    }
}

/// The subject `PW-04`.
pub type Pw04 = Host<LargePagesIgnored>;
