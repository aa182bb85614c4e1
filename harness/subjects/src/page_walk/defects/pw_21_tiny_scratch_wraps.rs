//! PW-21: the bookkeeping offset wraps on a tiny scratch.
//!
//! `size - 0x20` wraps below zero.

use super::super::deviation::Deviation;
use memtwin_models::Health;
use memtwin_models::page_walk::BOOKKEEPING_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct Pw21;

impl Deviation for Pw21 {
    const HEALTH: Health =
        Health::defect("PW-21", "in a scratch shorter than the bookkeeping words they are written before it");

    fn bookkeeping_offset(scratch_bytes: u64) -> Option<u64> {
        Some(scratch_bytes.wrapping_sub(BOOKKEEPING_BYTES))
    }
}
