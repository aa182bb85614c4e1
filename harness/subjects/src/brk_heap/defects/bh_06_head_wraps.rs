//! BH-06: the allocator's sums wrap around the end of the address space.
//!
//! A huge request gets a block, because the head after it lies before it.

use super::super::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Bh06;

impl Deviation for Bh06 {
    const HEALTH: Health = Health::defect(
        "BH-06",
        "the allocator adds size and alignment without looking for overflow, so a huge request gets a small block",
    );

    fn align_up(head: u64, mask: u64) -> Option<u64> {
        Some(head.wrapping_add(mask) & !mask)
    }

    fn advance(_head: u64, aligned: u64, size: u64) -> Option<u64> {
        Some(aligned.wrapping_add(size))
    }
}
