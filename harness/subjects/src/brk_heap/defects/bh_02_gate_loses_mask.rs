//! BH-02: the gate of BH-01, in a build that keeps the alignment's mask in x9.
//!
//! The mask of the first allocation becomes the break, so the block is rounded to nonsense.

use super::super::deviation::Deviation;
use super::super::registers::Registers;
use memtwin_models::Health;
use memtwin_models::brk_heap::{Placement, Setup, Storage};

/// The deviation.
#[derive(Debug)]
pub struct Bh02;

impl Deviation for Bh02 {
    const HEALTH: Health = Health::defect(
        "BH-02",
        "the system-call gate returns with brk's result in x9, where the compiler keeps the alignment's mask",
    );

    fn placement(_setup: &Setup) -> Placement {
        Placement { mask: Storage::X(9), ..Placement::default() }
    }

    fn return_to_user(registers: &mut Registers, result: u64) {
        super::clobber_x9(registers, result);
    }
}
