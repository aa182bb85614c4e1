//! TM-08: a private window is inherited.
//!
//! A process that is created when the kernel's directory has a window gets the same table: the mappings of one are
//! those of the other.

use super::super::deviation::{Deviation, Window};
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm08;

impl Deviation for Tm08 {
    const HEALTH: Health =
        Health::defect("TM-08", "a process created after the kernel's first temporary mapping shares its window");
    const WINDOW: Window = Window::Own;

    fn inherit(kernel: &mut Kernel<Self>, directory: u32) {
        kernel.inherit_kernel_half(directory);
    }

    fn release_window(kernel: &mut Kernel<Self>, directory: u32) {
        let table = kernel.own_window(directory);
        if let Some(table) = table.filter(|_| table != kernel.own_window(kernel.kernel_directory)) {
            kernel.release(table);
        }
    }
}
