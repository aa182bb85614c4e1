//! HF-09: whatever is readable and has the magic is a header.
//!
//! A program's own bytes can look like one, by intent or by chance (a copied block): a pointer into the middle of a block is
//! then freed as if it were one.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use super::super::program::Program;
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
pub struct BelievesAnyMagic;

impl Deviation for BelievesAnyMagic {
    const NAME: &'static str = "HF-09";
    const HEALTH: Health = Health::Broken {
        defect: Some("HF-09"),
        story: "free believes any readable bytes with the magic before a pointer that no registry knows",
    };

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        let header = pointer.checked_sub(HEADER_BYTES)?;
        if memory.is_readable(header, HEADER_BYTES) { believe(memory, header) } else { None }
    }
}

/// The subject `HF-09`.
pub type Hf09 = Program<BelievesAnyMagic>;
