//! TM-18: sys_write trusts the program's pointer.
//!
//! It is used without a look at the tables: where nothing is mapped the kernel faults.

use super::super::deviation::Deviation;
use super::super::kernel::{Failure, Kernel};
use memtwin_models::Health;
use memtwin_models::temp_map::{Cpu, Mode};

/// The deviation.
#[derive(Debug)]
pub struct Tm18;

impl Deviation for Tm18 {
    const HEALTH: Health = Health::defect(
        "TM-18",
        "sys_write reads from the program's pointer without looking whether anything is mapped",
    );

    fn readable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        kernel.machine.load(cpu, Mode::Kernel, address & !3)?;
        kernel.user_frame(cpu, address)
    }
}
