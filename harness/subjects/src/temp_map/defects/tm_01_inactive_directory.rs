//! TM-01: temporary mappings go into a directory that is not the active one.
//!
//! The kernel's own directory gets the window's table with the first temporary mapping. A process that was created
//! before never sees it: while its directory is in force the first use of a mapping faults.

use super::super::deviation::Deviation;
use super::super::kernel::{Failure, Kernel};
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The deviation.
#[derive(Debug)]
pub struct Tm01;

impl Deviation for Tm01 {
    const HEALTH: Health = Health::defect(
        "TM-01",
        "temporary mappings go into the kernel's directory, which processes created before do not share",
    );

    fn boot_window(_kernel: &mut Kernel<Self>) -> Option<()> {
        Some(())
    }

    fn window_for_mapping(kernel: &mut Kernel<Self>, _cpu: Cpu) -> Result<Option<u32>, Failure> {
        in_kernel_directory(kernel)
    }

    fn window_of_mapping(kernel: &Kernel<Self>, _cpu: Cpu, _slot: u32) -> Option<u32> {
        kernel.own_window(kernel.kernel_directory)
    }
}

/// The kernel's own window, whatever is in force.
pub(in super::super) fn in_kernel_directory<D: Deviation>(kernel: &mut Kernel<D>) -> Result<Option<u32>, Failure> {
    kernel.make_own_window(kernel.kernel_directory).map(Some)
}
