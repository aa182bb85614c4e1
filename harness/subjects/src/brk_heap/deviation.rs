//! What a subject may do differently from the hardened code: one method for each decision of gate, kernel, allocator
//! and program. The defaults are the hardened code.
//!
//! Does not combine defects: a subject of the catalogue has one. Every method that a deviation does not name is sound.

use super::kernel::Kernel;
use super::process::Process;
use super::registers::Registers;
use memtwin_models::brk_heap::{BrkHeapContract, PAGE_BYTES, Placement, Setup, is_error_number};
use memtwin_models::{Contract as _, Health};

/// Where an allocator has its blocks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockOrigin {
    /// One heap that ends at the break.
    Brk,
    /// A mapping for each block.
    Mmap {
        /// How many mappings that reallocations give up wait for the next free. What finds no room is never unmapped.
        deferred: usize,
    },
}

/// A way in which gate, kernel, allocator and program work together.
pub trait Deviation: 'static {
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// The subject's name. A defect of the catalogue is called by its id.
    const NAME: &'static str = Self::HEALTH.id();
    /// What its documentation claims.
    const CONTRACT: BrkHeapContract = BrkHeapContract::STRICT;
    /// Where blocks come from.
    const BLOCK_ORIGIN: BlockOrigin = BlockOrigin::Brk;

    /// Whether the allocator asks where the break is before it moves it: another user may have moved it.
    const ASKS_FOR_BREAK: bool = true;

    /// Where the compiler keeps the allocator's locals.
    fn placement(setup: &Setup) -> Placement {
        setup.placement
    }

    /// The gate's way back into the program: what becomes of its registers.
    #[inline]
    fn return_to_user(registers: &mut Registers, result: u64) {
        registers.x[0] = result;
    }

    /// `brk` at or above its first value: the break to move to, or `None` for a refusal.
    #[inline]
    fn grant(kernel: &Kernel, argument: u64) -> Option<u64> {
        let to = kernel.settle(argument, argument.checked_next_multiple_of(kernel.granularity)?);
        (to <= kernel.stack_low && kernel.fits_frames(to, 0)).then_some(to)
    }

    /// What a refused `brk` answers.
    fn refused(kernel: &mut Kernel) -> u64 {
        kernel.refuse()
    }

    /// Moves the break with the pages below it.
    fn move_break(kernel: &mut Kernel, to: u64) {
        kernel.move_break(to);
    }

    /// The break of a child, before it has moved it.
    fn child_break(kernel: &Kernel) -> u64 {
        kernel.program_break
    }

    /// The break of a new image. The old one's is given.
    fn image_break(kernel: &Kernel, _old: u64) -> u64 {
        kernel.heap_start
    }

    /// The pages of a mapping of so many bytes, or `None` for a refusal.
    fn mmap_pages(kernel: &Kernel, bytes: u64) -> Option<u64> {
        let pages = bytes.div_ceil(PAGE_BYTES);
        (pages != 0 && kernel.fits_frames(kernel.program_break, pages)).then_some(pages)
    }

    /// Unmaps.
    fn munmap(kernel: &mut Kernel, start: u64, bytes: u64) -> u64 {
        kernel.munmap(start, bytes)
    }

    /// The mask of an alignment.
    #[inline]
    fn mask(align: u64) -> u64 {
        align - 1
    }

    /// The block's address at or above the head; `None` if the address space ends before.
    #[inline]
    fn align_up(head: u64, mask: u64) -> Option<u64> {
        Some(head.checked_add(mask)? & !mask)
    }

    /// The head after the block.
    #[inline]
    fn advance(_head: u64, aligned: u64, size: u64) -> Option<u64> {
        aligned.checked_add(size)
    }

    /// The heap's end after the first use.
    fn first_end(head: u64, wanted: u64, result: u64) -> u64 {
        if Self::is_granted(wanted, result) { result } else { head }
    }

    /// What becomes of the heap's end before the kernel has answered.
    fn end_while_asking(end: u64, _wanted: u64) -> u64 {
        end
    }

    /// How much the heap grows by where it lacks so much.
    fn growth(needed: u64) -> Option<u64> {
        Some(needed.checked_next_multiple_of(PAGE_BYTES)?.max(PAGE_BYTES))
    }

    /// The heap's end when the kernel has granted what was wanted.
    fn end_after(_wanted: u64, result: u64) -> u64 {
        result
    }

    /// Whether the kernel granted what was wanted.
    #[inline]
    fn is_granted(wanted: u64, result: u64) -> bool {
        !is_error_number(result) && wanted <= result
    }

    /// Whether a reallocation stays where it is.
    fn stays_in_place(_block: u64, _size: u64, _end: u64) -> bool {
        false
    }

    /// The alignment of a block that is reallocated to another one.
    fn realloc_align(_old: u64, new: u64) -> u64 {
        new
    }

    /// How many bytes a reallocation copies.
    fn copied_bytes(old: u64, new: u64) -> u64 {
        old.min(new)
    }

    /// Makes a new block zero.
    fn zero(process: &mut Process<Self>, block: u64, size: u64)
    where
        Self: Sized,
    {
        process.fill(block, size, 0);
    }

    /// Gives a mapped block back.
    fn release(process: &mut Process<Self>, block: u64, size: u64)
    where
        Self: Sized,
    {
        process.munmap(block, size.next_multiple_of(PAGE_BYTES));
    }

    /// What the program does when it is to write to an empty slot.
    fn write_to_nothing(_process: &mut Process<Self>)
    where
        Self: Sized,
    {
    }
}
