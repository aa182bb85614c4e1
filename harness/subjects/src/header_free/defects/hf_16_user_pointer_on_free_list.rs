//! HF-16: the free list gets the user's pointer and is read as a list of bases.
//!
//! Each block that comes from the list lies one header further than the one that was freed: over its neighbour.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf16;

impl Deviation for Hf16 {
    const HEALTH: Health = Health::defect(
        "HF-16",
        "a freed tiny block is put on the free list by its user pointer, and taken from it as a base",
    );

    fn list_entry(_start: u64, user: u64) -> u64 {
        user
    }
}
