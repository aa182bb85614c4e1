//! TM-07: a temporary mapping is removed from the directory in force, not from the one that it was made in.
//!
//! The other directory keeps the entry, and with it a way to a frame that may be somebody else's by then.

use super::super::deviation::{Deviation, Window};
use super::super::kernel::Kernel;
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The deviation.
#[derive(Debug)]
pub struct Tm07;

impl Deviation for Tm07 {
    const HEALTH: Health =
        Health::defect("TM-07", "a temporary mapping made under one directory is removed from another");
    const WINDOW: Window = Window::Own;

    fn window_of_mapping(kernel: &Kernel<Self>, cpu: Cpu, _slot: u32) -> Option<u32> {
        kernel.own_window(kernel.current(cpu))
    }
}
