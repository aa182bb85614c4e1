//! TM-02: removing a temporary mapping gives its frame back.
//!
//! The frame still has its owner, who gives it back once more, or uses it together with the next one.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm02;

impl Deviation for Tm02 {
    const HEALTH: Health =
        Health::defect("TM-02", "unmap_temp_page gives the frame back although it belongs to somebody");

    fn after_unmap_temp(kernel: &mut Kernel<Self>, entry: u32) {
        kernel.release(entry >> 12);
    }
}
