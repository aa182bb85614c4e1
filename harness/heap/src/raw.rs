//! An allocator over memory that it is given, as its author would write it down. It knows nothing of ops.

use memtwin_models::Health;
use memtwin_models::heap::HeapContract;
use std::alloc::Layout;
use std::ptr;

/// An allocator over a region of memory, in the manner of Rust. Three functions are enough; the others have the
/// defaults that `GlobalAlloc` has, or are calls that the contract says are not there.
///
/// The harness runs it in worker processes: what it does to memory that is not its own is seen and told.
pub trait RawHeap: Sized + 'static {
    /// The name on the command line, unique within the component.
    const NAME: &'static str;
    /// Whether it is expected to agree with the model.
    const HEALTH: Health = Health::Sound;
    /// What its documentation claims: [`HeapContract::ARENA`], with the freedoms that it takes.
    const CONTRACT: HeapContract = HeapContract::ARENA;

    /// A heap over `bytes` bytes from `start` on.
    ///
    /// # Safety
    /// The memory is writable, and the heap's alone until it is dropped.
    unsafe fn new(start: *mut u8, bytes: usize) -> Self;

    /// A block, or null. The layout's size is not 0.
    fn alloc(&mut self, layout: Layout) -> *mut u8;

    /// Takes a block back.
    ///
    /// # Safety
    /// The block was allocated by this heap with this layout, and is live.
    unsafe fn dealloc(&mut self, block: *mut u8, layout: Layout);

    /// A block of zeros, or null.
    fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        let block = self.alloc(layout);
        if !block.is_null() {
            // SAFETY: the block was just allocated with this size.
            unsafe { ptr::write_bytes(block, 0, layout.size()) };
        }
        block
    }

    /// Another size for a block: the block that has its bytes now, or null, and then the old one is live still.
    ///
    /// # Safety
    /// As [`RawHeap::dealloc`]; `new_size` is not 0, and fits a layout with the old alignment.
    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller says that such a layout exists.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller's promises are those of this function.
        unsafe { self.relayout(block, layout, new, false) }
    }

    /// Another layout for a block, as `Allocator::grow`, `grow_zeroed` and `shrink` have it: when it is asked for
    /// zeroed, the bytes beyond the old size are zero.
    ///
    /// # Safety
    /// As [`RawHeap::dealloc`], with the old layout.
    unsafe fn relayout(&mut self, block: *mut u8, old: Layout, new: Layout, zeroed: bool) -> *mut u8 {
        let moved = if zeroed { self.alloc_zeroed(new) } else { self.alloc(new) };
        if !moved.is_null() {
            // SAFETY: both blocks have at least so many bytes, and a new block overlaps no live one.
            unsafe { ptr::copy_nonoverlapping(block, moved, old.size().min(new.size())) };
            // SAFETY: the caller says that the block is live and has this layout.
            unsafe { self.dealloc(block, old) };
        }
        moved
    }

    /// The first region has `bytes` more bytes behind its end.
    ///
    /// # Safety
    /// They are writable and the heap's alone from now on.
    unsafe fn extend(&mut self, _bytes: usize) {}

    /// Another region.
    ///
    /// # Safety
    /// As for [`RawHeap::new`].
    unsafe fn add_region(&mut self, _start: *mut u8, _bytes: usize) {}

    /// How many bytes of a live block are its owner's, if the heap has such a call.
    fn usable_size(&self, _block: *mut u8, _layout: Layout) -> Option<usize> {
        None
    }

    /// How many blocks are live, by the heap's own books, if it keeps any.
    fn live_blocks(&self) -> Option<u64> {
        None
    }

    /// How many bytes it holds from the system, if it can tell.
    fn held_bytes(&self) -> Option<u64> {
        None
    }

    /// Gives back to the system what it does not need.
    fn trim(&mut self) {}
}
