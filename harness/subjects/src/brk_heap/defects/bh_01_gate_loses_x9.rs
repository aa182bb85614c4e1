//! BH-01: the gate's way back leaves the result in x9.
//!
//! The kernel kept the result there and did not restore the program's register. What the compiler keeps in x9 over the
//! call becomes the break: a size in the reported build. A size in another register stays right.

use super::super::deviation::Deviation;
use super::super::registers::Registers;
use memtwin_models::Health;

/// The way back that leaves the result in x9 as well.
pub(in super::super) fn clobber_x9(registers: &mut Registers, result: u64) {
    registers.x[0] = result;
    registers.x[9] = result;
}

/// The deviation.
#[derive(Debug)]
pub struct Bh01;

impl Deviation for Bh01 {
    const HEALTH: Health = Health::defect(
        "BH-01",
        "the system-call gate returns with brk's result in x9, where the compiler keeps the size",
    );

    fn return_to_user(registers: &mut Registers, result: u64) {
        clobber_x9(registers, result);
    }
}
