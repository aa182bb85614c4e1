//! PW-15: push accepts lengths that pop can never take.
//!
//! Every pop expects the four bytes of a prefix.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Pw15;

impl Deviation for Pw15 {
    const HEALTH: Health = Health::defect(
        "PW-15",
        "an element of less than four bytes is pushed but cannot be popped: it and all below it stick",
    );

    fn shortest_element_bytes() -> u64 {
        4
    }
}
