//! TM-09: the table of a private window outlives its directory.
//!
//! Directories are destroyed entry by entry, and only the user half of them: one frame is lost for each process that
//! had a temporary mapping.

use super::super::deviation::{Deviation, Window};
use super::super::kernel::Kernel;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct WindowTableLeaks;

impl Deviation for WindowTableLeaks {
    const NAME: &'static str = "TM-09";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-09"),
        story: "the table of a process's window is not given back when the process dies",
    };
    const WINDOW: Window = Window::Own;

    fn release_window(_kernel: &mut Kernel<Self>, _directory: u32) {}
}

/// The subject `TM-09`.
pub type Tm09 = Program<WindowTableLeaks>;
