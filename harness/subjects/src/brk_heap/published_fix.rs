//! The published workaround: one mapping for each block, and brk is avoided. Freed blocks are never unmapped, and a
//! mapping of no bytes is accepted. The published code has a queue of 16 freed mappings whose overflow leaks; here,
//! simpler, every freed block leaks.

use super::deviation::{BlockOrigin, Deviation};
use super::kernel::Kernel;
use super::process::Process;
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
        story: "each block is a mapping of its own; freed ones are never unmapped, and a mapping of no bytes is \
                accepted",
    };
    const CONTRACT: BrkHeapContract =
        BrkHeapContract { blocks_from_mmap: true, no_raw_brk: true, ..BrkHeapContract::STRICT };
    const BLOCK_ORIGIN: BlockOrigin = BlockOrigin::Mmap;

    fn mmap_pages(kernel: &Kernel, bytes: u64) -> Option<u64> {
        let pages = bytes.div_ceil(PAGE_BYTES);
        kernel.fits_frames(kernel.program_break, pages).then_some(pages)
    }

    fn release(_process: &mut Process<Self>, _block: u64, _size: u64) {}
}

/// The subject `published_fix`.
pub type PublishedFix = Program<OneMappingEach>;
