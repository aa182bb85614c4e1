//! HP-07: the usable size is counted from the raw start of the block, padding included.
//!
//! The end that it tells lies in the next block (mimalloc, issue 231; rpmalloc, pull request 65).

use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp07;

impl Deviation for Hp07 {
    const HEALTH: Health =
        Health::defect("HP-07", "the usable size is counted from the raw start of the block, padding included");

    fn usable_bytes(length: usize, _offset: usize) -> usize {
        length
    }
}
