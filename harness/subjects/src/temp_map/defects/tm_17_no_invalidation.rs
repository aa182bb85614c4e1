//! TM-17: a page of the window is not forgotten when it is unmapped.
//!
//! The look-aside buffer still leads to the old frame, also when the slot is mapped again.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm17;

impl Deviation for Tm17 {
    const HEALTH: Health =
        Health::defect("TM-17", "unmap_temp_page does not invalidate, so the slot's next mapping shows the old frame");

    fn forget_temp(_kernel: &mut Kernel<Self>, _address: u32) {}
}
