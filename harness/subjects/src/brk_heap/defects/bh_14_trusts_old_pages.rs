//! BH-14: zeroed blocks are not made zero.
//!
//! The allocator hands out each byte once and takes new pages for zero. They are not where the break fell and rose
//! again over pages that somebody had used, and the kernel does not clean.

use super::super::deviation::Deviation;
use super::super::process::Process;
use memtwin_models::brk_heap::BrkHeapContract;
use memtwin_models::{Contract as _, Health};

/// The deviation.
#[derive(Debug)]
pub struct Bh14;

impl Deviation for Bh14 {
    const HEALTH: Health = Health::defect(
        "BH-14",
        "alloc_zeroed trusts pages to be fresh although the break fell and rose again over used ones",
    );
    const CONTRACT: BrkHeapContract = BrkHeapContract { trusts_fresh_pages: true, ..BrkHeapContract::STRICT };

    fn zero(_process: &mut Process<Self>, _block: u64, _size: u64) {}
}
