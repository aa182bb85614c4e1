//! TM-06: a fork makes read-only pages copy-on-write.
//!
//! The next store to such a page is answered with a writable copy.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::temp_map::mmu::{COPY_ON_WRITE, WRITABLE};

/// The deviation.
#[derive(Debug)]
pub struct Tm06;

impl Deviation for Tm06 {
    const HEALTH: Health =
        Health::defect("TM-06", "fork marks read-only pages copy-on-write, and a store makes them writable");

    fn shared_entry(entry: u32) -> u32 {
        share_every_page(entry)
    }
}

/// Marks an entry whatever it was.
pub(in super::super) fn share_every_page(entry: u32) -> u32 {
    entry & !WRITABLE | COPY_ON_WRITE
}
