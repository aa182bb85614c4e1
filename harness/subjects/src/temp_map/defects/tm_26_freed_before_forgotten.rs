//! TM-26: a page's frame is given back before the processors forget the page.
//!
//! Whoever gets the frame in between shares it with the old page. Between two calls nothing of it is to be seen.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The deviation.
#[derive(Debug)]
pub struct Tm26;

impl Deviation for Tm26 {
    const HEALTH: Health =
        Health::defect("TM-26", "unmap_page gives the frame back first and invalidates the page afterwards");

    fn forget_and_release(kernel: &mut Kernel<Self>, _cpu: Cpu, address: u32, frame: u32) {
        kernel.release(frame);
        kernel.machine.ipi_invlpg(address);
    }
}
