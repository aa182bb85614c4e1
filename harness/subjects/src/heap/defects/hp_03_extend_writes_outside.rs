//! HP-03: extend by fewer bytes than a node of the free list writes outside of the region.
//!
//! The extension becomes a node whatever its size; the node is longer than a small one (CVE-2022-36086).

use super::super::deviation::Deviation;
use super::super::free_list::{FreeList, GRAIN_BYTES};
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp03;

impl Deviation for Hp03 {
    const HEALTH: Health =
        Health::defect("HP-03", "extend by fewer bytes than a node of the free list writes outside of the region");

    fn extend(heap: &mut FreeList<Self>, bytes: usize) {
        let start = heap.end_before(bytes);
        let start = start.wrapping_add(start.align_offset(GRAIN_BYTES));
        // SAFETY: deliberately none: fewer bytes than a node has may be there.
        unsafe { heap.give(start, bytes.next_multiple_of(GRAIN_BYTES)) };
    }
}
