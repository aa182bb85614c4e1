//! HF-09: whatever is readable and has the magic is a header.
//!
//! A program's own bytes can look like one, by intent or by chance (a copied block): a pointer into the middle of a
//! block is then freed as if it were one.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::{HEADER_BYTES, HEADER_MAGIC, Kind};

/// The kind of block that a header says it belongs to, if it has the magic.
pub(in super::super) fn believe(memory: &Memory, header: u64) -> Option<Kind> {
    if memory.load_u32(header) != HEADER_MAGIC {
        return None;
    }
    let method = memory.load_u32(header.wrapping_add(4));
    Kind::ALL.into_iter().find(|kind| *kind as u32 == method)
}

/// The deviation.
#[derive(Debug)]
pub struct Hf09;

impl Deviation for Hf09 {
    const HEALTH: Health = Health::defect(
        "HF-09",
        "free believes any readable bytes with the magic before a pointer that no registry knows",
    );

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        let header = pointer.checked_sub(HEADER_BYTES)?;
        if memory.is_readable(header, HEADER_BYTES) { believe(memory, header) } else { None }
    }
}
