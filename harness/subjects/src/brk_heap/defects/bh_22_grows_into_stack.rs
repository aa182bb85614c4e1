//! BH-22: brk looks at the frames and not at the stack.
//!
//! Only where the stack begins within reach of the frames does the break ever meet it.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;
use memtwin_models::brk_heap::GUEST_END;

/// The deviation.
#[derive(Debug)]
pub struct Bh22;

impl Deviation for Bh22 {
    const HEALTH: Health = Health::defect("BH-22", "brk grants a break in the stack or above it");

    fn grant(kernel: &Kernel, argument: u64) -> Option<u64> {
        let to = kernel.settle(argument, argument.checked_next_multiple_of(kernel.granularity)?);
        (to <= GUEST_END && kernel.fits_frames(to, 0)).then_some(to)
    }
}
