//! PW-19: an address below the table buffer's base wraps.
//!
//! Only the end is compared before the base is subtracted.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw19;

impl Deviation for Pw19 {
    const HEALTH: Health = Health::defect(
        "PW-19",
        "an entry below the table buffer's base has an index beyond all bounds: a panic at the guest's will",
    );

    fn entry_index(base: u64, address: u64, count: usize) -> Option<usize> {
        let end = base.wrapping_add(8 * count as u64);
        let is_before_end = address < end && address.is_multiple_of(8);
        is_before_end.then(|| usize::try_from(address.wrapping_sub(base) / 8).unwrap_or(usize::MAX))
    }
}
