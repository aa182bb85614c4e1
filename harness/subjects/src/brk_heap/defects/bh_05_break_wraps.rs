//! BH-05: the break's rounding wraps around the end of the address space.
//!
//! A break in the last page becomes 0, which passes every limit.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh05;

impl Deviation for Bh05 {
    const HEALTH: Health = Health::defect("BH-05", "brk rounds a break in the last page up to 0 and grants it");

    fn grant(kernel: &Kernel, argument: u64) -> Option<u64> {
        let rounded = argument.wrapping_add(kernel.granularity - 1) & !(kernel.granularity - 1);
        let to = kernel.settle(argument, rounded);
        (to <= kernel.stack_low && kernel.fits_frames(to, 0)).then_some(to)
    }
}
