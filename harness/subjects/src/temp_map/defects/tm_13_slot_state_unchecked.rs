//! TM-13: slots are mapped unallocated and freed mapped.
//!
//! A mapping at a slot that nobody owns meets the next owner's; a mapping that outlives its slot stays for ever.

use super::super::deviation::Deviation;
use super::super::slots::Slots;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm13;

impl Deviation for Tm13 {
    const HEALTH: Health =
        Health::defect("TM-13", "an unallocated slot can be mapped, and freeing a mapped one leaves the mapping");

    fn may_free(slots: &Slots, slot: u32) -> bool {
        slots.is_allocated(slot)
    }

    fn may_map(slots: &Slots, slot: u32) -> bool {
        !slots.is_mapped(slot)
    }
}
