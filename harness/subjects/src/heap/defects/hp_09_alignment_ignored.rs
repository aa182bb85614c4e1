//! HP-09: the alignment of a layout is not looked at.
//!
//! Every block is aligned to 16 bytes (buddy-alloc 0.6.0).

use super::super::deviation::Deviation;
use memtwin_models::Health;
use std::alloc::Layout;

/// The deviation.
#[derive(Debug)]
pub struct Hp09;

impl Deviation for Hp09 {
    const HEALTH: Health = Health::defect("HP-09", "the alignment of a layout is not looked at");

    fn alignment(_layout: Layout) -> usize {
        1
    }
}
