//! PW-25: regions are merged across two backings.
//!
//! Where one backing ends and the next begins is chance: it changes with the next mapping.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw25;

impl Deviation for Pw25 {
    const HEALTH: Health =
        Health::defect("PW-25", "regions in two backings that lie side by side for the host become one");

    fn is_same_backing(_left: usize, _right: usize) -> bool {
        true
    }
}
