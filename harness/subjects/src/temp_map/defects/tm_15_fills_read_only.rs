//! TM-15: sys_read writes to pages that the program may not write.
//!
//! The window is writable, so the page's own flags are never asked: read-only pages change, and so do pages that are
//! shared with another process.

use super::super::deviation::Deviation;
use super::super::kernel::{Failure, Kernel};
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The deviation.
#[derive(Debug)]
pub struct Tm15;

impl Deviation for Tm15 {
    const HEALTH: Health = Health::defect("TM-15", "sys_read writes through read-only and shared pages");

    fn writable_frame(kernel: &mut Kernel<Self>, cpu: Cpu, address: u32) -> Result<u32, Failure> {
        kernel.user_frame(cpu, address)
    }
}
