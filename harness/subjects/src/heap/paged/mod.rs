//! A malloc for several threads over mapped pages. One lock guards all of it; who frees another thread's block leaves
//! it to that thread's next request.

mod classes;
pub mod deviation;
mod heap;
mod span;
mod system;

pub use heap::Heap;
pub use span::Span;

use deviation::Deviation;
use memtwin_heap::{Malloc, errno};
use memtwin_models::heap::{HeapContract, Setup};
use memtwin_models::{Health, Unsupported};
use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A paged malloc with a deviation.
#[derive(Debug)]
pub struct Paged<D: Deviation> {
    heap: Mutex<Heap<D>>,
}

/// What every block of `malloc` is aligned to, and what a larger alignment needs more than.
const MALLOC_ALIGN: usize = 16;

static THREADS: AtomicU32 = AtomicU32::new(1);

thread_local! {
    /// The thread's number; 0 is nobody's.
    static THREAD: u32 = THREADS.fetch_add(1, Ordering::Relaxed);
}

fn thread() -> u32 {
    THREAD.with(|number| *number)
}

impl<D: Deviation> Paged<D> {
    fn lock(&self) -> MutexGuard<'_, Heap<D>> {
        // The heap does not panic; a defect that does leaves it to the other threads.
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allocate(&self, size: usize, align: usize) -> *mut u8 {
        if !D::is_allowed(size) || !D::is_allowed(align) {
            errno::set(libc::ENOMEM);
            return null_mut();
        }
        let mut heap = self.lock();
        if align <= MALLOC_ALIGN { heap.allocate(thread(), size) } else { heap.allocate_aligned(thread(), size, align) }
    }

    fn product(count: usize, size: usize) -> Option<usize> {
        let product = D::product(count, size);
        if product.is_none() {
            errno::set(libc::ENOMEM);
        }
        product
    }
}

impl<D: Deviation> Malloc for Paged<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: HeapContract = D::CONTRACT;
    const SIMULATES_SYSTEM: bool = true;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Paged { heap: Mutex::new(Heap::new(setup)?) })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.lock().reset(setup);
        true
    }

    fn malloc(&self, size: usize) -> *mut u8 {
        self.allocate(size, MALLOC_ALIGN)
    }

    unsafe fn free(&self, block: *mut u8) {
        if !block.is_null() {
            self.lock().free(thread(), block);
        }
    }

    fn calloc(&self, count: usize, size: usize) -> *mut u8 {
        let Some(size) = Self::product(count, size) else { return null_mut() };
        let block = self.malloc(size);
        if !block.is_null() {
            // SAFETY: the block was just allocated with this size.
            unsafe { ptr::write_bytes(block, 0, size) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, size: usize) -> *mut u8 {
        let (usable, kept) = self.lock().usable_and_kept(block);
        if size <= usable && usable / 2 <= size {
            return block;
        }
        let moved = self.malloc(size);
        if !moved.is_null() {
            // SAFETY: both blocks have so many bytes, and a new block overlaps no live one.
            unsafe { ptr::copy_nonoverlapping(block, moved, kept.min(size)) };
            // SAFETY: the caller says that the block is live.
            unsafe { self.free(block) };
        }
        moved
    }

    unsafe fn reallocarray(&self, block: *mut u8, count: usize, size: usize) -> *mut u8 {
        match Self::product(count, size) {
            // SAFETY: the caller's promises are those of `realloc`.
            Some(size) => unsafe { self.realloc(block, size) },
            None => null_mut(),
        }
    }

    fn posix_memalign(&self, align: usize, size: usize) -> (*mut u8, i32) {
        if !align.is_power_of_two() || !align.is_multiple_of(size_of::<usize>()) {
            return (null_mut(), libc::EINVAL);
        }
        let block = self.allocate(size, align);
        (block, if block.is_null() { libc::ENOMEM } else { 0 })
    }

    fn aligned_alloc(&self, align: usize, size: usize) -> *mut u8 {
        if !align.is_power_of_two() {
            errno::set(libc::EINVAL);
            return null_mut();
        }
        self.allocate(size, align)
    }

    unsafe fn usable_size(&self, block: *mut u8) -> usize {
        self.lock().usable_and_kept(block).0
    }

    fn trim(&self) {
        self.lock().trim();
    }

    fn held_bytes(&self) -> Option<u64> {
        Some(self.lock().held_bytes())
    }

    fn take_refusal(&self) -> bool {
        self.lock().system.take_refusal()
    }

    fn thread_exits(&self) {
        D::abandon(&mut self.lock(), thread());
    }
}
