//! BH-03: a later kernel's gate loses x10 and leaks a kernel stack pointer.
//!
//! It restores x9, and uses the next registers for its own way back.

use super::super::deviation::Deviation;
use super::super::registers::Registers;
use memtwin_models::Health;

/// An address in the upper half, where kernels live.
const KERNEL_STACK: u64 = 0xffff_0000_4000_3fc0;

/// The deviation.
#[derive(Debug)]
pub struct Bh03;

impl Deviation for Bh03 {
    const HEALTH: Health =
        Health::defect("BH-03", "the system-call gate loses x10 and returns with a kernel stack pointer in x11");

    fn return_to_user(registers: &mut Registers, result: u64) {
        registers.x[0] = result;
        registers.x[10] = 0;
        registers.x[11] = KERNEL_STACK;
    }
}
