//! TM-02: removing a temporary mapping gives its frame back.
//!
//! The frame still has its owner, who gives it back once more, or uses it together with the next one.

use super::super::deviation::Deviation;
use super::super::kernel::Kernel;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct UnmapFrees;

impl Deviation for UnmapFrees {
    const NAME: &'static str = "TM-02";
    const HEALTH: Health = Health::Broken {
        defect: Some("TM-02"),
        story: "unmap_temp_page gives the frame back although it belongs to somebody",
    };

    fn after_unmap_temp(kernel: &mut Kernel<Self>, entry: u32) {
        kernel.frames.release(entry >> 12);
    }
}

/// The subject `TM-02`.
pub type Tm02 = Program<UnmapFrees>;
