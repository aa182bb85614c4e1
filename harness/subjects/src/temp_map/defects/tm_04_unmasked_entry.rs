//! TM-04: the copied page's entry keeps the old frame's address.
//!
//! The flags are taken from the old entry without a mask: the new entry names a frame whose number is the old one's or
//! the new one's, bit by bit.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, WRITABLE};

/// The deviation.
#[derive(Debug)]
pub struct Tm04;

impl Deviation for Tm04 {
    const HEALTH: Health =
        Health::defect("TM-04", "the copied page's entry is made of the new frame and the whole old entry");

    fn unshared_entry(entry: u32, frame: u32) -> u32 {
        unmasked_entry(entry, frame)
    }
}

/// The new frame, and all of the old entry but its mark.
pub(in super::super) fn unmasked_entry(entry: u32, frame: u32) -> u32 {
    frame << 12 | entry & !COPY_ON_WRITE | WRITABLE
}
