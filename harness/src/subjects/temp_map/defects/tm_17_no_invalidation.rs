//! TM-17: a page of the window is not forgotten when it is unmapped.
//!
//! The look-aside buffer still leads to the old frame, also when the slot is mapped again.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct NoInvalidation;

impl Deviation for NoInvalidation {
    const NAME: &'static str = "TM-17";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-17"),
        story: "unmap_temp_page does not invalidate, so the slot's next mapping shows the old frame",
    };

    fn forget_temp(_kernel: &mut Kernel<Self>, _address: u32) {}
}

/// The subject `TM-17`.
pub type Tm17 = Program<NoInvalidation>;
