//! PW-07: the position overflows at the top of the address space.
//!
//! The position after the last byte is 2^64, which fits no number of 64 bits.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct PositionOverflows;

impl Deviation for PositionOverflows {
    const NAME: &'static str = "PW-07";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-07"),
        story: "a read panics when it has read the last page of the address space",
    };

    fn advance(position: u64, bytes: u64) -> u64 {
        let Some(next) = position.checked_add(bytes) else {
            panic!("attempt to add with overflow: {position:#x} + {bytes:#x}")
        };
        next
    }
}

/// The subject `PW-07`.
pub type Pw07 = Host<PositionOverflows>;
