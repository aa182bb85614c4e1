//! TM-28: a page that two segments share has the rights of the one with the higher address.
//!
//! Linkers make such pages, where the read-only part of a program ends and its data begins.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::temp_map::Segment;
use memtwin_models::temp_map::mmu::{USER, WRITABLE};

/// The deviation.
#[derive(Debug)]
pub struct Tm28;

impl Deviation for Tm28 {
    const HEALTH: Health = Health::defect("TM-28", "a page that two segments share has the rights of the last one");

    fn united_rights(_flags: u32, segment: &Segment) -> u32 {
        USER | if segment.writable { WRITABLE } else { 0 }
    }
}
