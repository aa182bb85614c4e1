//! HF-06: only the page of the header's first byte is looked at.
//!
//! A header of 32 bytes that begins near the end of a page ends on the next. With a magic on the first page, the rest
//! is read from the second, which may be unmapped.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, HEADER_MAGIC, Kind};

/// The deviation.
#[derive(Debug)]
pub struct Hf06;

impl Deviation for Hf06 {
    const HEALTH: Health = Health::defect(
        "HF-06",
        "free checks the page where a header begins, and then reads a header that ends on the next page",
    );

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        let header = pointer.checked_sub(HEADER_BYTES)?;
        if memory.is_readable(header, 4) && memory.load_u32(header) == HEADER_MAGIC {
            let mut whole = [0; 32];
            memory.load(header, &mut whole);
            std::hint::black_box(whole);
        }
        None
    }
}
