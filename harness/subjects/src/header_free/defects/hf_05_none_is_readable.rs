//! HF-05: what `mincore` knows is taken for readable.
//!
//! A page with PROT_NONE is mapped, and `mincore` says so. Asked rightly about every page of the header, it still says
//! nothing about reading.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, Kind, PAGE_BYTES};

/// The deviation.
#[derive(Debug)]
pub struct Hf05;

impl Deviation for Hf05 {
    const HEALTH: Health = Health::defect(
        "HF-05",
        "free reads a header once mincore says that its pages are mapped, although mapped is not readable",
    );

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        let header = pointer.checked_sub(HEADER_BYTES)?;
        let first = header & !(PAGE_BYTES - 1);
        let errno = memory.errno;
        let is_mapped = memory.mincore(first, pointer - first).is_ok();
        memory.errno = errno;
        if is_mapped {
            std::hint::black_box(memory.load_u32(header));
        }
        None
    }
}
