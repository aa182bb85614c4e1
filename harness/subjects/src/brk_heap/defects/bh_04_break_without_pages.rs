//! BH-04: the break moves and no page is mapped.
//!
//! Only what the loader mapped is there: the first byte beyond 64 KiB faults.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// Moves the break and nothing else.
pub(in super::super) fn move_break_alone(kernel: &mut Kernel, to: u64) {
    kernel.program_break = to;
}

/// The deviation.
#[derive(Debug)]
pub struct Bh04;

impl Deviation for Bh04 {
    const HEALTH: Health = Health::defect("BH-04", "brk moves the break and maps no page");

    fn move_break(kernel: &mut Kernel, to: u64) {
        move_break_alone(kernel, to);
    }
}
