//! TM-27: a page that loses a right loses it on the processor that takes it, and on no other.
//!
//! Unmapping and copy-on-write, the siblings, tell all processors.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The deviation.
#[derive(Debug)]
pub struct Tm27;

impl Deviation for Tm27 {
    const HEALTH: Health = Health::defect("TM-27", "protect_page invalidates the page on its own processor alone");

    fn after_protect(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) {
        kernel.machine.invlpg(cpu, address);
    }
}
