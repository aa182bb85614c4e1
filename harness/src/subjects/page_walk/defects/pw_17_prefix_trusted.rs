//! PW-17: pop trusts the size prefix.
//!
//! The guest can write the prefix.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct PrefixTrusted;

impl Deviation for PrefixTrusted {
    const NAME: &'static str = "PW-17";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-17"),
        story: "the element's size is its prefix and four, as a number of 32 bits: up to 4 GiB are reserved, or the sum wraps",
    };

    fn prefixed_bytes(prefix: u32, _element_bytes: u64) -> Option<u64> {
        Some(u64::from(prefix.wrapping_add(4)))
    }
}

/// The subject `PW-17`.
pub type Pw17 = Host<PrefixTrusted>;
