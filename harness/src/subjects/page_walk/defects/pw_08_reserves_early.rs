//! PW-08: the buffer is reserved before coverage is known.
//!
//! A length of a terabyte over one mapped page asks the host for a terabyte; overcommitted memory hides it.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct ReservesEarly;

impl Deviation for ReservesEarly {
    const NAME: &'static str = "PW-08";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-08"),
        story: "a read reserves its whole length before it has looked whether anything is there",
    };

    fn reserved_early(length: u64) -> u64 {
        length
    }
}

/// The subject `PW-08`.
pub type Pw08 = Host<ReservesEarly>;
