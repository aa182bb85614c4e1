//! PW-13: the three AVL bits are compared as one number.
//!
//! The other two bits are the guest's own.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::translate::WRITABLE;

/// The deviation.
#[derive(Debug)]
pub struct Pw13;

impl Deviation for Pw13 {
    const HEALTH: Health = Health::defect(
        "PW-13",
        "copy-on-write is looked for as AVL bits 0b001, so a page with bit 10 set as well is plain",
    );

    fn is_copy_on_write(leaf: u64) -> bool {
        leaf >> 9 & 0b111 == 0b001 && leaf & WRITABLE == 0
    }
}
