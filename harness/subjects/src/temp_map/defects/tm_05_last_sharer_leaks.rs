//! TM-05: the last sharer of a page copies it, and nobody gives the old frame back.
//!
//! The frame keeps a reference that no page has: it is lost until the machine is started again.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Tm05;

impl Deviation for Tm05 {
    const HEALTH: Health = Health::defect("TM-05", "the last sharer copies its page and the old frame is leaked");

    fn keeps_frame(_references: u32) -> bool {
        false
    }

    fn give_up(kernel: &mut Kernel<Self>, frame: u32) {
        give_up_shared(kernel, frame);
    }
}

/// Releases a frame that others still refer to, and forgets about the last reference.
pub(in super::super) fn give_up_shared<D: Deviation>(kernel: &mut Kernel<D>, frame: u32) {
    if 1 < kernel.frames.references(frame) {
        kernel.release(frame);
    }
}
