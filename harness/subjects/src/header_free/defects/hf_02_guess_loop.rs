//! HF-02: a loop guesses SuperSlabs: it masks the pointer to 2 MiB and to 1 MiB and reads there.
//!
//! For a pointer outside of any SuperSlab nothing need be mapped at the multiple below it.

use super::super::deviation::Deviation;
use super::super::memory::Memory;
use memtwin_models::Health;
use memtwin_models::header_free::{Kind, SUPERSLAB_MAGIC};

/// Whether a SuperSlab seems to begin at the multiple of its size below a pointer.
fn guess(memory: &Memory, pointer: u64) -> bool {
    [21, 20].into_iter().any(|log2| memory.load_u32(pointer >> log2 << log2) == SUPERSLAB_MAGIC)
}

/// The deviation.
#[derive(Debug)]
pub struct Hf02;

impl Deviation for Hf02 {
    const HEALTH: Health = Health::defect(
        "HF-02",
        "free masks unknown pointers to 2 MiB and 1 MiB and reads what it takes for a SuperSlab there",
    );

    fn look_at_unknown(memory: &mut Memory, pointer: u64) -> Option<Kind> {
        guess(memory, pointer);
        None
    }
}
