//! BH-13: the published workaround, one mapping for each block, on a kernel whose munmap does nothing.

use super::super::deviation::{BlockOrigin, Deviation};
use super::super::kernel::Kernel;
use memtwin_models::brk_heap::BrkHeapContract;
use memtwin_models::{Contract as _, Health};

/// The deviation.
#[derive(Debug)]
pub struct Bh13;

impl Deviation for Bh13 {
    const HEALTH: Health =
        Health::defect("BH-13", "each block is a mapping of its own, and munmap answers success and unmaps nothing");
    const CONTRACT: BrkHeapContract =
        BrkHeapContract { blocks_from_mmap: true, no_raw_brk: true, ..BrkHeapContract::STRICT };
    const BLOCK_ORIGIN: BlockOrigin = BlockOrigin::Mmap { deferred: 0 };

    fn munmap(_kernel: &mut Kernel, _start: u64, _bytes: u64) -> u64 {
        0
    }
}
