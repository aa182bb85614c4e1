//! HF-16: the free list gets the user's pointer and is read as a list of bases.
//!
//! Each block that comes from the list lies one header further than the one that was freed: over its neighbour.

use super::super::deviation::Deviation;
use super::super::program::Program;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct UserPointerOnFreeList;

impl Deviation for UserPointerOnFreeList {
    const NAME: &'static str = "HF-16";
    const HEALTH: Health = Health::Broken {
        defect: Some("HF-16"),
        story: "a freed tiny block is put on the free list by its user pointer, and taken from it as a base",
    };

    fn list_entry(_start: u64, user: u64) -> u64 {
        user
    }
}

/// The subject `HF-16`.
pub type Hf16 = Program<UserPointerOnFreeList>;
