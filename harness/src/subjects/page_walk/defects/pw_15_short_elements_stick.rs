//! PW-15: push accepts lengths that pop can never take.
//!
//! Every pop expects the four bytes of a prefix.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct ShortElementsStick;

impl Deviation for ShortElementsStick {
    const NAME: &'static str = "PW-15";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-15"),
        story: "an element of less than four bytes is pushed but cannot be popped: it and all below it stick",
    };

    fn shortest_element_bytes() -> u64 {
        4
    }
}

/// The subject `PW-15`.
pub type Pw15 = Host<ShortElementsStick>;
