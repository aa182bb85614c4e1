//! What a free-list heap may do differently from the hardened one: one method for each decision. The defaults are the
//! hardened code. A subject of the catalogue has one defect and no more.

use super::free_list::{FreeList, GRAIN_BYTES};
use memtwin_heap::RawHeap as _;
use memtwin_models::Health;
use memtwin_models::heap::{HeapContract, OpKind};
use std::alloc::Layout;

/// A way in which a free-list heap works.
pub trait Deviation: Sized + 'static {
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// The subject's name. A defect of the catalogue is called by its id.
    const NAME: &'static str = Self::HEALTH.id();
    /// What it claims. Sizes and addresses are rounded to 16 bytes: up to 15 before a block, in it, and at a region's
    /// end.
    const CONTRACT: HeapContract =
        HeapContract { block_overhead: 24, ..HeapContract::ARENA.having(&[OpKind::Extend, OpKind::AddRegion]) };

    /// The alignment that is looked for.
    fn alignment(layout: Layout) -> usize {
        layout.align()
    }

    /// How much of what is left behind a new block stays free.
    fn split(left: usize) -> usize {
        left
    }

    /// Whether free memory that ends here and free memory that begins there are neighbours.
    fn adjoins(end: usize, start: usize) -> bool {
        end == start
    }

    /// Whether a block may grow by so much into free memory of so many bytes right behind it.
    fn has_room_behind(free: usize, more: usize) -> bool {
        more <= free
    }

    /// How many bytes a block takes along when it moves.
    fn copied_bytes(old: usize, new: usize) -> usize {
        old.min(new)
    }

    /// Where zeros begin in a block that grew zeroed; `taken` is what the old size was rounded up to.
    fn zeroed_from(old: usize, _taken: usize) -> usize {
        old
    }

    /// A block was to have another layout, and there is no memory.
    fn refused(_heap: &mut FreeList<Self>, _block: *mut u8, _layout: Layout) {}

    /// The first region has so many bytes more.
    fn extend(heap: &mut FreeList<Self>, _bytes: usize) {
        heap.take_in_extension();
    }
}

/// The hardened heap.
#[derive(Debug)]
pub struct Sound;

impl Deviation for Sound {
    const HEALTH: Health = Health::Sound;
    const NAME: &'static str = "free_list";
}

const _: () = assert!(GRAIN_BYTES == 16);

/// Frees a block that its owner still has, as a defect does.
pub(super) fn free_behind_the_owner<D: Deviation>(heap: &mut FreeList<D>, block: *mut u8, layout: Layout) {
    // SAFETY: deliberately none: the owner still has the block. The heap's own lists stay whole until it is freed
    // again.
    unsafe { heap.dealloc(block, layout) };
}
