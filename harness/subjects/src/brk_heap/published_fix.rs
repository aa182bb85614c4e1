//! The proposed fix as it was published: one mapping for each block, and brk is avoided. What a reallocation leaves
//! waits in a queue of 16 mappings, which only a free empties; what finds the queue full is never unmapped. A mapping
//! of no bytes is accepted.

use super::deviation::{BlockOrigin, Deviation};
use super::kernel::Kernel;
use super::subject::Program;
use memtwin_models::brk_heap::{BrkHeapContract, PAGE_BYTES};
use memtwin_models::{Contract as _, Health};

/// The workaround.
#[derive(Debug)]
pub struct OneMappingEach;

impl Deviation for OneMappingEach {
    const NAME: &'static str = "published_fix";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "each block is a mapping of its own; those that reallocations leave wait for a free, 16 at most, and a \
                mapping of no bytes is accepted",
    };
    const CONTRACT: BrkHeapContract =
        BrkHeapContract { blocks_from_mmap: true, no_raw_brk: true, ..BrkHeapContract::STRICT };
    const BLOCK_ORIGIN: BlockOrigin = BlockOrigin::Mmap { deferred: 16 };

    fn mmap_pages(kernel: &Kernel, bytes: u64) -> Option<u64> {
        let pages = bytes.div_ceil(PAGE_BYTES);
        kernel.fits_frames(kernel.program_break, pages).then_some(pages)
    }
}

/// The subject `published_fix`.
pub type PublishedFix = Program<OneMappingEach>;
