//! HP-05: a block grows in place into any free memory behind it, however little that is.
//!
//! What is missing is taken from the block behind (bumpalo 3.2.0).

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp05;

impl Deviation for Hp05 {
    const HEALTH: Health =
        Health::defect("HP-05", "a block grows in place into any free memory behind it, however little that is");

    fn has_room_behind(free: usize, _more: usize) -> bool {
        free != 0
    }
}
