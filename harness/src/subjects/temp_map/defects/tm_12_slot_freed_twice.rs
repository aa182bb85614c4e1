//! TM-12: a slot that is free can be freed.
//!
//! Who frees twice frees the slot of whoever was given it in between: the slot then has two owners.

use super::super::deviation::Deviation;
use super::super::program::Program;
use super::super::slots::Slots;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct SlotFreedTwice;

impl Deviation for SlotFreedTwice {
    const NAME: &'static str = "TM-12";
    const HEALTH: Health =
        Health::Broken { defect: Some("TM-12"), story: "a slot can be freed twice, and is then handed out twice" };

    fn may_free(slots: &Slots, slot: u32) -> bool {
        !slots.is_mapped(slot)
    }
}

/// The subject `TM-12`.
pub type Tm12 = Program<SlotFreedTwice>;
