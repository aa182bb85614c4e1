//! TM-10: the table of the shared window is given back with each directory.
//!
//! The first process that dies takes the window of all others along, the second one frees it again.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct SharedTableFreed;

impl Deviation for SharedTableFreed {
    const NAME: &'static str = "TM-10";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-10"),
        story: "destroying a process gives back the window's table, which all directories share",
    };

    fn release_window(kernel: &mut Kernel<Self>, _directory: u32) {
        kernel.frames.release(kernel.window);
    }
}

/// The subject `TM-10`.
pub type Tm10 = Program<SharedTableFreed>;
