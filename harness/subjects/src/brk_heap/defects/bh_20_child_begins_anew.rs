//! BH-20: a child's break is that of a new image, though its heap is its parent's.
//!
//! A new image, the sibling, is right to begin anew.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh20;

impl Deviation for Bh20 {
    const HEALTH: Health = Health::defect("BH-20", "fork gives the child the break of a new process");

    fn child_break(kernel: &Kernel) -> u64 {
        kernel.heap_start
    }
}
