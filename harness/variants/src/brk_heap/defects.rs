//! Heaps and kernels that are broken in a way that the catalogue does not have, as public reports tell it.
//!
//! Does not combine defects: each has one.

use memtwin_models::brk_heap::{BrkHeap, PAGE_BYTES};
use memtwin_models::{Health, Row};
use memtwin_subjects::brk_heap::deviation::Deviation;
use memtwin_subjects::brk_heap::kernel::Kernel;
use memtwin_subjects::brk_heap::process::Process;
use memtwin_subjects::brk_heap::subject::Program;

/// All of them.
pub(crate) static ROWS: &[Row<BrkHeap>] = &[
    Row::of::<Program<ErrorNumberIsMemory>>(),
    Row::of::<Program<NoBreakBelowThePresent>>(),
    Row::of::<Program<GrowthIsOnePageShort>>(),
    Row::of::<Program<FreshBlocksAreNotCleared>>(),
    Row::of::<Program<ImageKeepsTheBreak>>(),
    Row::of::<Program<FallsBySixteenPages>>(),
    Row::of::<Program<NewAlignmentEndsAtAPage>>(),
    Row::of::<Program<RefusalIsTheFirstBreak>>(),
    Row::of::<Program<LastPageIsTakenForFresh>>(),
    Row::of::<Program<CopiesEndAt64Kib>>(),
    Row::of::<Program<LastByteStaysBehind>>(),
];

/// An error number of brk is taken for an end above the old one.
#[derive(Debug)]
pub(crate) struct ErrorNumberIsMemory;

impl Deviation for ErrorNumberIsMemory {
    const NAME: &'static str = "error_number_is_memory";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "an error number of brk is taken for an end above the old one" };

    fn is_granted(wanted: u64, result: u64) -> bool {
        wanted <= result
    }
}

/// brk grants no break below the present one.
#[derive(Debug)]
pub(crate) struct NoBreakBelowThePresent;

impl Deviation for NoBreakBelowThePresent {
    const NAME: &'static str = "no_break_below_the_present";
    const HEALTH: Health = Health::Broken { defect: None, story: "brk grants no break below the present one" };

    fn grant(kernel: &Kernel, argument: u64) -> Option<u64> {
        let to = kernel.settle(argument, argument.checked_next_multiple_of(kernel.granularity)?);
        (kernel.program_break <= to && to <= kernel.stack_low && kernel.fits_frames(to, 0)).then_some(to)
    }
}

/// The heap asks for a page less than it lacks.
#[derive(Debug)]
pub(crate) struct GrowthIsOnePageShort;

impl Deviation for GrowthIsOnePageShort {
    const NAME: &'static str = "growth_is_one_page_short";
    const HEALTH: Health = Health::Broken { defect: None, story: "the heap asks for a page less than it lacks" };

    fn growth(needed: u64) -> Option<u64> {
        Some(needed.saturating_sub(4096).max(1))
    }
}

/// A zeroed block of a page and more is cleared to the end of its last whole page.
#[derive(Debug)]
pub(crate) struct FreshBlocksAreNotCleared;

impl Deviation for FreshBlocksAreNotCleared {
    const NAME: &'static str = "fresh_blocks_are_not_cleared";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a zeroed block of a page and more is cleared to the end of its last whole page",
    };

    fn zero(process: &mut Process<Self>, block: u64, size: u64) {
        let cleared = if size < 4096 { size } else { size - size % 4096 };
        process.fill(block, cleared, 0);
    }
}

/// A new image has the break of the old one.
#[derive(Debug)]
pub(crate) struct ImageKeepsTheBreak;

impl Deviation for ImageKeepsTheBreak {
    const NAME: &'static str = "image_keeps_the_break";
    const HEALTH: Health = Health::Broken { defect: None, story: "a new image has the break of the old one" };

    fn image_break(_kernel: &Kernel, old: u64) -> u64 {
        old
    }
}

/// A break that falls by more than 64 KiB leaves pages above it mapped.
#[derive(Debug)]
pub(crate) struct FallsBySixteenPages;

impl Deviation for FallsBySixteenPages {
    const NAME: &'static str = "falls_by_sixteen_pages";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a break that falls by more than 64 KiB leaves pages above it mapped" };

    fn move_break(kernel: &mut Kernel, to: u64) {
        kernel.move_break_unmapping(to, 16);
    }
}

/// A reallocation to an alignment above a page gets that of a page.
#[derive(Debug)]
pub(crate) struct NewAlignmentEndsAtAPage;

impl Deviation for NewAlignmentEndsAtAPage {
    const NAME: &'static str = "new_alignment_ends_at_a_page";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a reallocation to an alignment above a page gets that of a page" };

    fn realloc_align(_old: u64, new: u64) -> u64 {
        new.min(4096)
    }
}

/// A refused brk answers the first break of all.
#[derive(Debug)]
pub(crate) struct RefusalIsTheFirstBreak;

impl Deviation for RefusalIsTheFirstBreak {
    const NAME: &'static str = "refusal_is_the_first_break";
    const HEALTH: Health = Health::Broken { defect: None, story: "a refused brk answers the break of a new process" };

    fn refused(kernel: &mut Kernel) -> u64 {
        kernel.heap_start
    }
}

/// A zeroed block that ends in the heap's last page is taken for fresh from brk, although it begins before.
#[derive(Debug)]
pub(crate) struct LastPageIsTakenForFresh;

impl Deviation for LastPageIsTakenForFresh {
    const NAME: &'static str = "last_page_is_taken_for_fresh";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a zeroed block for which the heap grew is not cleared, although it begins in what was left before",
    };

    fn zero(process: &mut Process<Self>, block: u64, size: u64) {
        let end = block.saturating_add(size);
        if end.checked_next_multiple_of(PAGE_BYTES) != Some(process.kernel.program_break) {
            process.fill(block, size, 0);
        }
    }
}

/// A reallocation copies 64 KiB at most.
#[derive(Debug)]
pub(crate) struct CopiesEndAt64Kib;

impl Deviation for CopiesEndAt64Kib {
    const NAME: &'static str = "copies_end_at_64_kib";
    const HEALTH: Health =
        Health::Broken { defect: None, story: "a reallocation copies no more than 64 KiB of a block" };

    fn copied_bytes(old: u64, new: u64) -> u64 {
        old.min(new).min(1 << 16)
    }
}

/// A reallocation of more than a page leaves the last byte behind.
#[derive(Debug)]
pub(crate) struct LastByteStaysBehind;

impl Deviation for LastByteStaysBehind {
    const NAME: &'static str = "last_byte_stays_behind";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "a reallocation of a block of more than a page does not copy the block's last byte",
    };

    fn copied_bytes(old: u64, new: u64) -> u64 {
        if PAGE_BYTES < old && old <= new { old - 1 } else { old.min(new) }
    }
}
