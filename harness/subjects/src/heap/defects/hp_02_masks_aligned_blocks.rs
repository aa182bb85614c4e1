//! HP-02: free finds the span of an over-aligned block by masking its address with the size of a small span.
//!
//! Such a block may lie in a longer span (mimalloc, issue 1400).

use super::super::paged::Heap;
use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp02;

impl Deviation for Hp02 {
    const HEALTH: Health = Health::defect(
        "HP-02",
        "free finds the span of an over-aligned block by masking its address with the size of a small span",
    );

    fn span_of(heap: &Heap<Self>, block: *mut u8) -> Option<usize> {
        let first = heap.span_of(block)?;
        if heap.is_interior(first, block) { heap.system.chunk_of(block) } else { Some(first) }
    }
}
