//! PW-12: an unaligned physical base leaks into the entry's bits.
//!
//! The entry is the address with the flags put in by OR.

use super::super::deviation::Deviation;
use super::super::subject::Host;
use memtwin_models::Health;
use memtwin_models::page_walk::PAGE_BYTES;

/// The deviation.
#[derive(Debug)]
pub struct UnalignedPhys;

impl Deviation for UnalignedPhys {
    const NAME: &'static str = "PW-12";
    const HEALTH: Health = Health::Broken {
        defect: Some("PW-12"),
        story: "the low bits of a mapping's physical address become flags: 0x200 makes a page copy-on-write",
    };

    fn is_aligned(_phys: u64, virt: u64, length: u64) -> bool {
        [virt, length].iter().all(|number| number.is_multiple_of(PAGE_BYTES))
    }
}

/// The subject `PW-12`.
pub type Pw12 = Host<UnalignedPhys>;
