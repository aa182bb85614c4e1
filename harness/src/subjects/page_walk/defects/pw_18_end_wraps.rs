//! PW-18: the bound check of a host read wraps.
//!
//! The bytes before the backing, or far from it, are read.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct EndWraps;

impl Deviation for EndWraps {
    const NAME: &'static str = "PW-18";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-18"),
        story: "`offset + length` of a host read goes round the end of the address space and passes",
    };

    fn fits(offset: u64, length: u64, size: u64) -> bool {
        offset.wrapping_add(length) <= size
    }
}

/// The subject `PW-18`.
pub type Pw18 = Host<EndWraps>;
