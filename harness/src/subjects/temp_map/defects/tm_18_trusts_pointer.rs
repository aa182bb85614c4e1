//! TM-18: sys_write trusts the program's pointer.
//!
//! It is used without a look at the tables: where nothing is mapped the kernel faults.

use super::super::deviation::Deviation;
use super::super::kernel::{Failure, Kernel};
use super::super::program::Program;
use memtwin_models::Health;
use memtwin_models::temp_map::{Cpu, Mode};

/// The deviation.
#[derive(Debug)]
pub struct TrustsPointer;

impl Deviation for TrustsPointer {
    const NAME: &'static str = "TM-18";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-18"),
        story: "sys_write reads from the program's pointer without looking whether anything is mapped",
    };

    fn readable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        kernel.machine.load(cpu, Mode::Kernel, address & !3)?;
        kernel.user_frame(cpu, address)
    }
}

/// The subject `TM-18`.
pub type Tm18 = Program<TrustsPointer>;
