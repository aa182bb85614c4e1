//! TM-20: a copy that finds no second slot keeps the first.
//!
//! With exactly one free slot each attempt to copy a page ends the same way, and none is left for anybody.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm20;

impl Deviation for Tm20 {
    const HEALTH: Health = Health::defect("TM-20", "a copy with exactly one free slot leaks the slot of its source");

    fn end_copy(kernel: &mut Kernel<Self>, source: i32, is_copied: bool) {
        if is_copied {
            kernel.give_slot_back(source);
        }
    }
}
