//! TM-12: a slot that is free can be freed.
//!
//! Who frees twice frees the slot of whoever was given it in between: the slot then has two owners.

use super::super::deviation::Deviation;
use super::super::slots::Slots;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm12;

impl Deviation for Tm12 {
    const HEALTH: Health = Health::defect("TM-12", "a slot can be freed twice, and is then handed out twice");

    fn may_free(slots: &Slots, slot: u32) -> bool {
        !slots.is_mapped(slot)
    }
}
