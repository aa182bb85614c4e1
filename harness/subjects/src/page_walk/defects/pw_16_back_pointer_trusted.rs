//! PW-16: pop trusts the back-pointer.
//!
//! The guest can write it: 0, the middle of the back-pointer itself, or beyond the buffer.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw16;

impl Deviation for Pw16 {
    const HEALTH: Health =
        Health::defect("PW-16", "the start of the last element is taken as the buffer says it, wherever that is");

    fn is_back_pointer(_start: u64, _end: u64) -> bool {
        true
    }
}
