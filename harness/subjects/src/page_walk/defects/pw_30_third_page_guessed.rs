//! PW-30: a read translates its first two pages and takes the rest for contiguous.
//!
//! A fix for reads over one border, tried with such a read.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw30;

impl Deviation for Pw30 {
    const HEALTH: Health = Health::defect(
        "PW-30",
        "from its third page on a read goes on behind the second, wherever the guest mapped what follows",
    );

    fn piece(found: u64, before: usize, end: u64) -> u64 {
        if before < 2 { found } else { end }
    }
}
