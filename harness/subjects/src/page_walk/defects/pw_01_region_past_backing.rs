//! PW-01: coalescing regions ignores a truncated host length.
//!
//! A region of its own is cut where its backing ends; one that goes on with the region before it is not.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::PAGE_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct Pw01;

impl Deviation for Pw01 {
    const HEALTH: Health = Health::defect(
        "PW-01",
        "a coalesced region grows by whole pages although its backing ends within the last one",
    );

    fn grown_by(start: u64, bytes: u64) -> u64 {
        let end = start.wrapping_add(bytes - 1) | (PAGE_BYTES - 1);
        end.wrapping_sub(start).wrapping_add(1)
    }
}
