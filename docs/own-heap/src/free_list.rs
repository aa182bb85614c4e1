//! An arena of blocks of one size, whose free blocks hold the list of them.

use memtwin::heap::RawHeap;
use memtwin::models::heap::HeapContract;
use std::alloc::Layout;
use std::ptr::null_mut;

/// The length of every block, and what it is aligned to, in bytes.
const BLOCK_BYTES: usize = 64;

/// The first free block; each begins with the address of the next.
pub struct FreeList(*mut *mut u8);

impl RawHeap for FreeList {
    const NAME: &'static str = "free_list";
    // Every block takes 64 bytes, up to 63 before the first and behind the last are lost, and the order of the list
    // decides what lies beside what.
    const CONTRACT: HeapContract = HeapContract {
        largest_size: BLOCK_BYTES as u64,
        largest_align: BLOCK_BYTES as u64,
        block_overhead: 2 * BLOCK_BYTES as u64,
        ..HeapContract::ARENA
    };

    unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        let end = start.wrapping_add(bytes);
        let mut block = start.wrapping_add(start.align_offset(BLOCK_BYTES));
        let mut first: *mut *mut u8 = null_mut();
        while (block as usize) + BLOCK_BYTES <= end as usize {
            // SAFETY: the block lies within the memory that the caller gives away.
            unsafe { block.cast::<*mut u8>().write(first.cast()) };
            first = block.cast();
            block = block.wrapping_add(BLOCK_BYTES);
        }
        FreeList(first)
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        if self.0.is_null() || BLOCK_BYTES < layout.size().max(layout.align()) {
            return null_mut();
        }
        let block = self.0;
        // SAFETY: a free block begins with the address of the next.
        self.0 = unsafe { *block }.cast();
        block.cast()
    }

    unsafe fn dealloc(&mut self, block: *mut u8, _layout: Layout) {
        // SAFETY: the block is given back, and has room for an address.
        unsafe { block.cast::<*mut u8>().write(self.0.cast()) };
        self.0 = block.cast();
    }
}
