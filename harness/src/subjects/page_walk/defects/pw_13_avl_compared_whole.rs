//! PW-13: the three AVL bits are compared as one number.
//!
//! The other two bits are the guest's own.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::translate::WRITABLE;

/// The deviation.
#[derive(Debug)]
pub struct AvlComparedWhole;

impl Deviation for AvlComparedWhole {
    const NAME: &'static str = "PW-13";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-13"),
        story: "copy-on-write is looked for as AVL bits 0b001, so a page with bit 10 set as well is plain",
    };

    fn is_copy_on_write(leaf: u64) -> bool {
        leaf >> 9 & 0b111 == 0b001 && leaf & WRITABLE == 0
    }
}

/// The subject `PW-13`.
pub type Pw13 = Host<AvlComparedWhole>;
