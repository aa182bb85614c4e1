//! TM-09: the table of a private window outlives its directory.
//!
//! Directories are destroyed entry by entry, and only the user half of them: one frame is lost for each process that
//! had a temporary mapping.

use super::super::deviation::{Deviation, Window};
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm09;

impl Deviation for Tm09 {
    const HEALTH: Health =
        Health::defect("TM-09", "the table of a process's window is not given back when the process dies");
    const WINDOW: Window = Window::Own;

    fn release_window(_kernel: &mut Kernel<Self>, _directory: u32) {}
}
