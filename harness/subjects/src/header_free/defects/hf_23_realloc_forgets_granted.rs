//! HF-23: realloc copies what was once asked for.
//!
//! The program was told by malloc_usable_size that it may use more, and did.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hf23;

impl Deviation for Hf23 {
    const HEALTH: Health = Health::defect(
        "HF-23",
        "realloc copies only as much as was once asked for, and not what the usable size granted",
    );

    fn kept_bytes(size: u64, usable: u64) -> u64 {
        size.min(usable)
    }
}
