//! HF-22: malloc_usable_size does not know the pool from before the allocator was up.
//!
//! free and realloc ask for it first.

use super::super::deviation::{Deviation, Entry};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf22;

impl Deviation for Hf22 {
    const HEALTH: Health = Health::defect(
        "HF-22",
        "malloc_usable_size refuses blocks from before the allocator was up, which free and realloc know",
    );

    fn knows_boot(entry: Entry) -> bool {
        entry != Entry::UsableSize
    }
}
