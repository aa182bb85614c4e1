//! TM-20: a copy that finds no second slot keeps the first.
//!
//! With exactly one free slot each attempt to copy a page ends the same way, and none is left for anybody.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct SourceSlotLeaks;

impl Deviation for SourceSlotLeaks {
    const NAME: &'static str = "TM-20";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-20"),
        story: "a copy with exactly one free slot leaks the slot of its source",
    };

    fn end_copy(kernel: &mut Kernel<Self>, source: i32, is_copied: bool) {
        if is_copied {
            kernel.give_slot_back(source);
        }
    }
}

/// The subject `TM-20`.
pub type Tm20 = Program<SourceSlotLeaks>;
