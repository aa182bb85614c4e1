//! TM-24: sys_write does not ask whether a page is the program's.
//!
//! Pages of the user half that only the kernel may read are shown to whoever asks.

use super::super::deviation::Deviation;
use super::super::kernel::{Failure, Kernel};
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The deviation.
#[derive(Debug)]
pub struct Tm24;

impl Deviation for Tm24 {
    const HEALTH: Health = Health::defect("TM-24", "sys_write reads pages of the user half that lack the USER flag");

    fn readable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        any_mapped_frame(kernel, cpu, address)
    }
}

/// The frame behind a page, whosever it is.
pub(in super::super) fn any_mapped_frame<D: Deviation>(
    kernel: &Kernel<D>,
    cpu: Cpu,
    address: u32,
) -> Result<u32, Failure> {
    kernel.physical(cpu, address).map(|physical| physical >> 12).ok_or(Failure::Refused)
}
