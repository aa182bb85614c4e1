//! TM-14: a window's table that cannot be made is not missed.
//!
//! Without a frame for it nothing is mapped, and the address is returned all the same.

use super::super::deviation::{Deviation, Window};
use super::super::kernel::{Failure, Kernel};
use memtwin_models::Health;
use memtwin_models::temp_map::Cpu;

/// The deviation.
#[derive(Debug)]
pub struct Tm14;

impl Deviation for Tm14 {
    const HEALTH: Health =
        Health::defect("TM-14", "map_temp_page returns an address although its table could not be allocated");
    const WINDOW: Window = Window::Own;

    fn window_for_mapping(kernel: &mut Kernel<Self>, cpu: Cpu) -> Result<Option<u32>, Failure> {
        Ok(kernel.make_own_window(kernel.current(cpu)).ok())
    }
}
