//! TM-10: the table of the shared window is given back with each directory.
//!
//! The first process that dies takes the window of all others along, the second one frees it again.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm10;

impl Deviation for Tm10 {
    const HEALTH: Health =
        Health::defect("TM-10", "destroying a process gives back the window's table, which all directories share");

    fn release_window(kernel: &mut Kernel<Self>, _directory: u32) {
        kernel.release(kernel.window);
    }
}
