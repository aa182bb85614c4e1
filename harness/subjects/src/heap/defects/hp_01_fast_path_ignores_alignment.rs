//! HP-01: an aligned request whose size is a small multiple of the alignment takes the path of small sizes.
//!
//! Its block is aligned to 16 bytes (mimalloc, issue 700).

use super::super::paged::deviation::Deviation;
use memtwin_models::Health;

/// The deviation.
#[derive(Debug)]
pub struct Hp01;

impl Deviation for Hp01 {
    const HEALTH: Health = Health::defect(
        "HP-01",
        "an aligned request whose size is a small multiple of the alignment takes the path of small sizes",
    );

    fn bytes_for_aligned(size: usize, align: usize) -> Option<usize> {
        let is_fast = size != 0 && size <= 1024 && size.is_multiple_of(align);
        if is_fast { None } else { size.checked_add(align - 16) }
    }
}
