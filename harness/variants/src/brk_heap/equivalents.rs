//! Heaps that are right in another way than the hardened code: another growth, another place, other registers.
//!
//! Does not claim freedoms: what these do the strict contract leaves open.

use memtwin_models::brk_heap::{BrkHeap, PAGE_BYTES, Placement, Setup, Storage};
use memtwin_models::{Health, Row};
use memtwin_subjects::brk_heap::deviation::Deviation;
use memtwin_subjects::brk_heap::kernel::Kernel;
use memtwin_subjects::brk_heap::process::Process;
use memtwin_subjects::brk_heap::subject::Program;

/// All of them.
pub(crate) static ROWS: &[Row<BrkHeap>] = &[
    Row::of::<Program<EndIsWhatWasWanted>>(),
    Row::of::<Program<FirstEndIsWhatWasWanted>>(),
    Row::of::<Program<GrowsBySixteenPages>>(),
    Row::of::<Program<GrowsByTwiceAsMuch>>(),
    Row::of::<Program<GrowsByTheByte>>(),
    Row::of::<Program<BlocksEndOnSixteen>>(),
    Row::of::<Program<AlignedByRemainder>>(),
    Row::of::<Program<AllOnTheStack>>(),
    Row::of::<Program<AllInRegisters>>(),
    Row::of::<Program<ZeroedFromTheEnd>>(),
    Row::of::<Program<StackBySubtraction>>(),
];

/// Of what the kernel grants the heap takes what it asked for.
#[derive(Debug)]
pub(crate) struct EndIsWhatWasWanted;

impl Deviation for EndIsWhatWasWanted {
    const NAME: &'static str = "end_is_what_was_wanted";
    const HEALTH: Health = Health::Sound;

    fn end_after(wanted: u64, _result: u64) -> u64 {
        wanted
    }
}

/// Of what the kernel grants at first the heap takes what it asked for.
#[derive(Debug)]
pub(crate) struct FirstEndIsWhatWasWanted;

impl Deviation for FirstEndIsWhatWasWanted {
    const NAME: &'static str = "first_end_is_what_was_wanted";
    const HEALTH: Health = Health::Sound;

    fn first_end(head: u64, wanted: u64, result: u64) -> u64 {
        if Self::is_granted(wanted, result) { wanted } else { head }
    }
}

/// The heap grows by 64 KiB at a time.
#[derive(Debug)]
pub(crate) struct GrowsBySixteenPages;

impl Deviation for GrowsBySixteenPages {
    const NAME: &'static str = "grows_by_sixteen_pages";
    const HEALTH: Health = Health::Sound;

    fn growth(needed: u64) -> Option<u64> {
        needed.checked_next_multiple_of(16 * PAGE_BYTES)
    }
}

/// The heap grows by twice what it lacks.
#[derive(Debug)]
pub(crate) struct GrowsByTwiceAsMuch;

impl Deviation for GrowsByTwiceAsMuch {
    const NAME: &'static str = "grows_by_twice_as_much";
    const HEALTH: Health = Health::Sound;

    fn growth(needed: u64) -> Option<u64> {
        needed.checked_next_multiple_of(PAGE_BYTES)?.checked_mul(2)
    }
}

/// The heap asks for no more than it lacks.
#[derive(Debug)]
pub(crate) struct GrowsByTheByte;

impl Deviation for GrowsByTheByte {
    const NAME: &'static str = "grows_by_the_byte";
    const HEALTH: Health = Health::Sound;

    fn growth(needed: u64) -> Option<u64> {
        Some(needed)
    }
}

/// The head stays a multiple of sixteen.
#[derive(Debug)]
pub(crate) struct BlocksEndOnSixteen;

impl Deviation for BlocksEndOnSixteen {
    const NAME: &'static str = "blocks_end_on_sixteen";
    const HEALTH: Health = Health::Sound;

    fn advance(_head: u64, aligned: u64, size: u64) -> Option<u64> {
        aligned.checked_add(size)?.checked_next_multiple_of(16)
    }
}

/// Blocks are aligned by what is left of a division.
#[derive(Debug)]
pub(crate) struct AlignedByRemainder;

impl Deviation for AlignedByRemainder {
    const NAME: &'static str = "aligned_by_remainder";
    const HEALTH: Health = Health::Sound;

    fn align_up(head: u64, mask: u64) -> Option<u64> {
        match head.checked_rem(mask.wrapping_add(1)) {
            Some(0) => Some(head),
            Some(over) => head.checked_add(mask + 1 - over),
            None => Some(0),
        }
    }
}

/// Nothing is kept in a register over a system call.
#[derive(Debug)]
pub(crate) struct AllOnTheStack;

impl Deviation for AllOnTheStack {
    const NAME: &'static str = "all_on_the_stack";
    const HEALTH: Health = Health::Sound;

    fn placement(_setup: &Setup) -> Placement {
        Placement::default()
    }
}

/// Everything is kept in registers of its own over a system call.
#[derive(Debug)]
pub(crate) struct AllInRegisters;

impl Deviation for AllInRegisters {
    const NAME: &'static str = "all_in_registers";
    const HEALTH: Health = Health::Sound;

    fn placement(_setup: &Setup) -> Placement {
        Placement {
            size: Storage::X(24),
            mask: Storage::X(25),
            head: Storage::X(26),
            new_head: Storage::X(27),
            new_end: Storage::X(28),
        }
    }
}

/// A block is made zero in two halves, the second one first.
#[derive(Debug)]
pub(crate) struct ZeroedFromTheEnd;

impl Deviation for ZeroedFromTheEnd {
    const NAME: &'static str = "zeroed_from_the_end";
    const HEALTH: Health = Health::Sound;

    fn zero(process: &mut Process<Self>, block: u64, size: u64) {
        let half = size / 2;
        process.fill(block + half, size - half, 0);
        process.fill(block, half, 0);
    }
}

/// brk looks at what is left below the stack.
#[derive(Debug)]
pub(crate) struct StackBySubtraction;

impl Deviation for StackBySubtraction {
    const NAME: &'static str = "stack_by_subtraction";
    const HEALTH: Health = Health::Sound;

    fn grant(kernel: &Kernel, argument: u64) -> Option<u64> {
        let to = kernel.settle(argument, argument.checked_next_multiple_of(kernel.granularity)?);
        (kernel.stack_low.checked_sub(to).is_some() && kernel.fits_frames(to, 0)).then_some(to)
    }
}
