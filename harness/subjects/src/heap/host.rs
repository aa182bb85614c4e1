//! The allocators of the host: what every program here relies on. They are held to what their documentation promises.

use memtwin_heap::{GlobalHeap, Malloc};
use memtwin_models::heap::{HeapContract, Setup};
use memtwin_models::{Contract as _, Unsupported};
use std::alloc::System;
use std::ptr::null_mut;

/// AddressSanitizer's malloc, which then is the host's, reserves a multiple of an alignment and notes an eighth of
/// that, and ends the process where size and alignment together overflow (posix_memalign with 2^63).
pub(super) const LARGEST_ALIGN: u64 =
    if memtwin_wild::HAS_ADDRESS_SANITIZER { 1 << 24 } else { HeapContract::STRICT.largest_align };

/// Rust's `System`.
#[derive(Debug)]
pub struct HostSystem;

impl GlobalHeap for HostSystem {
    type Allocator = System;
    const NAME: &'static str = "system";
    const CONTRACT: HeapContract = HeapContract { largest_align: LARGEST_ALIGN, ..HeapContract::GLOBAL };

    fn new() -> System {
        System
    }
}

/// The malloc family of the host's libc.
#[derive(Debug)]
pub struct HostLibc;

impl Malloc for HostLibc {
    const NAME: &'static str = "libc";
    // What malloc(3) and its like promise, and no more.
    const CONTRACT: HeapContract = HeapContract { largest_align: LARGEST_ALIGN, ..HeapContract::C };

    fn new(_setup: &Setup) -> Result<Self, Unsupported> {
        Ok(HostLibc)
    }

    fn reset(&mut self, _setup: &Setup) -> bool {
        true
    }

    fn malloc(&self, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        unsafe { libc::malloc(size) }.cast()
    }

    unsafe fn free(&self, block: *mut u8) {
        // SAFETY: the caller says that the block is live.
        unsafe { libc::free(block.cast()) };
    }

    fn calloc(&self, count: usize, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        unsafe { libc::calloc(count, size) }.cast()
    }

    unsafe fn realloc(&self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller says that the block is live.
        unsafe { libc::realloc(block.cast(), size) }.cast()
    }

    unsafe fn reallocarray(&self, block: *mut u8, count: usize, size: usize) -> *mut u8 {
        // SAFETY: the caller says that the block is live.
        unsafe { libc::reallocarray(block.cast(), count, size) }.cast()
    }

    fn posix_memalign(&self, align: usize, size: usize) -> (*mut u8, i32) {
        let mut block = null_mut();
        // SAFETY: the place for the block is the stack's.
        let returned = unsafe { libc::posix_memalign(&raw mut block, align, size) };
        (block.cast(), returned)
    }

    fn aligned_alloc(&self, align: usize, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        unsafe { libc::aligned_alloc(align, size) }.cast()
    }

    fn memalign(&self, align: usize, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        unsafe { libc::memalign(align, size) }.cast()
    }

    unsafe fn usable_size(&self, block: *mut u8) -> usize {
        // SAFETY: the caller says that the block is live.
        unsafe { libc::malloc_usable_size(block.cast()) }
    }

    fn trim(&self) {
        // SAFETY: it may be called at any time.
        let _ = unsafe { libc::malloc_trim(0) };
    }
}
