//! BH-19: a fall of the break unmaps what one page table holds.
//!
//! A smaller fall is right. After a large one the rest can still be touched, and is nobody's.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The pages below an entry of the directory.
const TABLE_PAGES: u64 = 512;

/// The deviation.
#[derive(Debug)]
pub struct Bh19;

impl Deviation for Bh19 {
    const HEALTH: Health =
        Health::defect("BH-19", "a break that falls by more than 2 MiB leaves pages above it mapped");

    fn move_break(kernel: &mut Kernel, to: u64) {
        kernel.move_break_unmapping(to, TABLE_PAGES);
    }
}
