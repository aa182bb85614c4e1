//! BH-16: the heap's end is set to what is wanted, not to what is granted.
//!
//! It is set before the kernel answers. After a refusal the next small request is served from pages that are not there.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct EndIsWanted;

impl Deviation for EndIsWanted {
    const NAME: &'static str = "BH-16";
    const HEALTH: Health = Health::Broken {
        defect: Some("BH-16"),
        story: "the heap's end is set to what the allocator wants, and stays there when the kernel refuses",
    };

    fn end_while_asking(_end: u64, wanted: u64) -> u64 {
        wanted
    }

    fn end_after(wanted: u64, _result: u64) -> u64 {
        wanted
    }
}

/// The subject `BH-16`.
pub type Bh16 = Program<EndIsWanted>;
