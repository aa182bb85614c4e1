//! GM-31: a dump that fails half way has emptied the log.
//!
//! The log is read and cleared in one step, and not put back where a page cannot be written. The retry succeeds and
//! lacks what the first attempt had thrown away.

use super::super::deviation::Deviation;
use crate::guest_memory::hardened::{DumpError, PageImage, SoftMmu, WriteLog as _};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Gm31;

impl Deviation for Gm31 {
    const HEALTH: Health = Health::defect(
        "GM-31",
        "a dump of written pages that fails has emptied the log, so that the retry loses pages",
    );

    fn dump_dirty(mmu: &mut SoftMmu, image: &mut dyn PageImage) -> Result<(), DumpError> {
        let dumped = mmu.dump_dirty(image);
        if dumped.is_err() {
            mmu.take_dirty_log(&mut |_page| ());
        }
        dumped
    }
}
