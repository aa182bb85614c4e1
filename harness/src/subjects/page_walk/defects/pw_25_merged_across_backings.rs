//! PW-25: regions are merged across two backings.
//!
//! Where one backing ends and the next begins is chance: it changes with the next mapping.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct MergedAcrossBackings;

impl Deviation for MergedAcrossBackings {
    const NAME: &'static str = "PW-25";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-25"),
        story: "regions in two backings that lie side by side for the host become one",
    };

    fn is_same_backing(_left: usize, _right: usize) -> bool {
        true
    }
}

/// The subject `PW-25`.
pub type Pw25 = Host<MergedAcrossBackings>;
