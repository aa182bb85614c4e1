//! TM-23: a fork does not make processors forget the parent's rights.
//!
//! The parent goes on writing to pages that the child shares by now.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm23;

impl Deviation for Tm23 {
    const HEALTH: Health =
        Health::defect("TM-23", "fork leaves the parent's writable translations in the look-aside buffers");

    fn after_fork(_kernel: &mut Kernel<Self>, _parent: u32) {}
}
