//! TM-03: slots come from a circular counter.
//!
//! The 257th allocation hands out slot 0 again, whoever has it.

use super::super::deviation::Deviation;
use super::super::slots::Slots;
use memtwin_models::Health;
use memtwin_models::temp_map::SLOTS;

/// The deviation.
#[derive(Debug)]
pub struct Tm03;

impl Deviation for Tm03 {
    const HEALTH: Health =
        Health::defect("TM-03", "slots come from a circular counter: the 257th is one that is in use");

    fn choose_slot(slots: &Slots) -> Option<u32> {
        Some(slots.handed_out() % SLOTS)
    }
}
