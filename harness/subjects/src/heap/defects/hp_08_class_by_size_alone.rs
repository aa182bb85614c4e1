//! HP-08: an aligned request smaller than its alignment gets a block of the class of its size.
//!
//! Nothing looks at the alignment (seastar, issue 1940).

use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp08;

impl Deviation for Hp08 {
    const HEALTH: Health =
        Health::defect("HP-08", "an aligned request smaller than its alignment gets a block of the class of its size");

    fn bytes_for_aligned(size: usize, align: usize) -> Option<usize> {
        if size < align { None } else { size.checked_add(align - 16) }
    }
}
