//! PW-08: the buffer is reserved before coverage is known.
//!
//! A length of a terabyte over one mapped page asks the host for a terabyte; overcommitted memory hides it.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw08;

impl Deviation for Pw08 {
    const HEALTH: Health =
        Health::defect("PW-08", "a read reserves its whole length before it has looked whether anything is there");

    fn reserved_early(length: u64) -> u64 {
        length
    }
}
