//! An arena that gives out its memory once, and the same with a planted mistake.

use memtwin::heap::RawHeap;
use memtwin::models::Health;
use memtwin::models::heap::HeapContract;
use std::alloc::Layout;
use std::ptr::null_mut;

/// The next free address, and the first beyond the memory.
pub struct Bump(usize, usize);

impl RawHeap for Bump {
    const NAME: &'static str = "bump";
    const CONTRACT: HeapContract = HeapContract { no_reuse: true, ..HeapContract::ARENA };

    unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        Bump(start as usize, start as usize + bytes)
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let block = self.0.next_multiple_of(layout.align());
        match block.checked_add(layout.size()).filter(|end| *end <= self.1) {
            Some(end) => {
                self.0 = end;
                block as *mut u8
            }
            None => null_mut(),
        }
    }

    unsafe fn dealloc(&mut self, _block: *mut u8, _layout: Layout) {}
}

/// The planted mistake: the end is not looked at until the memory is used up.
pub struct Greedy(Bump);

impl RawHeap for Greedy {
    const NAME: &'static str = "greedy";
    const HEALTH: Health = Health::Broken { defect: None, story: "the last block may end beyond the arena" };
    const CONTRACT: HeapContract = Bump::CONTRACT;

    unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        Greedy(Bump(start as usize, start as usize + bytes))
    }

    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let block = self.0.0.next_multiple_of(layout.align());
        if self.0.1 <= block {
            return null_mut();
        }
        self.0.0 = block.saturating_add(layout.size());
        block as *mut u8
    }

    unsafe fn dealloc(&mut self, _block: *mut u8, _layout: Layout) {}
}
