//! PW-20: the snapshot's page-table tail counts as guest memory.
//!
//! The backing's length is taken for the guest's.

use super::super::deviation::Deviation;
use super::super::sandbox::Placed;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw20;

impl Deviation for Pw20 {
    const HEALTH: Health = Health::defect(
        "PW-20",
        "guest addresses past the snapshot's guest-visible part reach its page-table tail, and hide a file mapping \
         there",
    );

    fn visible_bytes(placed: &Placed) -> u64 {
        placed.total
    }
}
