//! What a fix of the reported symptoms leaves: regions end where their backings end and keep their types, sums are
//! checked, back-pointers and prefixes too. The walker still looks at leaf bits only, and its work has no bound.

use super::defects::pw_11_file_mappings_unread::Pw11;
use super::defects::pw_13_avl_compared_whole::Pw13;
use super::defects::pw_24_upper_levels_ignored::Pw24;
use super::deviation::Deviation;
use super::sandbox::Placed;
use super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::{Access, WorkBounds};

/// The fix.
#[derive(Debug)]
pub struct SymptomsFixed;

impl Deviation for SymptomsFixed {
    const NAME: &'static str = "published_fix";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "regions and buffers are right, but PS, upper levels and the bound of a walk are not looked at, and \
                reads know no file mappings",
    };

    fn is_within_bounds(_bounds: WorkBounds, _visits: u64, _leaves: u64) -> bool {
        true
    }

    fn is_large(_entry: u64, _level: u32) -> bool {
        false
    }

    fn allowed_below(upper: Access, own: Access) -> Access {
        Pw24::allowed_below(upper, own)
    }

    fn is_copy_on_write(leaf: u64) -> bool {
        Pw13::is_copy_on_write(leaf)
    }

    fn readable(backings: &[Placed]) -> &[Placed] {
        Pw11::readable(backings)
    }
}

/// The subject `published_fix`.
pub type PublishedFix = Host<SymptomsFixed>;
