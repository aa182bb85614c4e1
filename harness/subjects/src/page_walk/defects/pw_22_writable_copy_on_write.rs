//! PW-22: a writable page is reported as copy-on-write.
//!
//! The two exclude each other.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::translate::COPY_ON_WRITE;

/// The deviation.
#[derive(Debug)]
pub struct Pw22;

impl Deviation for Pw22 {
    const HEALTH: Health =
        Health::defect("PW-22", "bit 9 alone makes a page copy-on-write, although RW lets the guest write it as it is");

    fn is_copy_on_write(leaf: u64) -> bool {
        leaf & COPY_ON_WRITE != 0
    }
}
