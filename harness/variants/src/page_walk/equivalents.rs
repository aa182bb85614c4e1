//! Page walks that are right in another way than the hardened code.
//!
//! Does not claim freedoms: what these do the strict contract leaves open.

use memtwin_models::page_walk::PageWalk;
use memtwin_models::{Health, Row};
use memtwin_subjects::page_walk::deviation::Deviation;
use memtwin_subjects::page_walk::subject::Host;

/// All of them.
pub(crate) static ROWS: &[Row<PageWalk>] = &[Row::of::<Host<BoundsBySubtraction>>()];

/// Bounds of host accesses are looked up by what is left behind the offset.
#[derive(Debug)]
pub(crate) struct BoundsBySubtraction;

impl Deviation for BoundsBySubtraction {
    const NAME: &'static str = "bounds_by_subtraction";
    const HEALTH: Health = Health::Sound;

    fn fits(offset: u64, length: u64, size: u64) -> bool {
        size.checked_sub(offset).is_some_and(|left| length <= left)
    }
}
