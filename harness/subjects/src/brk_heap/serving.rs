//! The hardened brk heap as a program's global allocator. What the fuzzers put to the test serves here, unchanged,
//! behind a lock. Does not serve more memory than a setup can have (16 MiB of blocks, none of which is used twice), nor
//! alignments above that of the simulated memory in the host.

use super::hardened::Sound;
use super::process::Process;
use crate::pages::GUARD_BYTES;
use memtwin_models::Unsupported;
use memtwin_models::brk_heap::Setup;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// A global allocator that takes its blocks from the system until [`ServingHeap::serve`] is called, and from a hardened
/// brk heap from there on. Each block goes back to where it came from.
#[derive(Debug, Default)]
pub struct ServingHeap {
    process: OnceLock<Mutex<Process<Sound>>>,
}

impl ServingHeap {
    /// A heap that does not serve yet.
    #[must_use]
    pub const fn new() -> Self {
        ServingHeap { process: OnceLock::new() }
    }

    /// Serves from here on, with the heap of this setup. A second call changes nothing.
    ///
    /// # Errors
    /// When the host refuses the address space.
    pub fn serve(&self, setup: &Setup) -> Result<(), Unsupported> {
        // The heap's own books come from the system's allocator: nobody serves before they are there.
        let process = Process::new(setup)?;
        let _ = self.process.set(Mutex::new(process));
        Ok(())
    }

    /// Begins anew, with all its memory. No block of the heap is live: the caller has given them all up.
    pub(crate) fn begin_anew(&self) {
        if let Some(mut process) = self.process() {
            process.reset();
        }
    }

    /// Whether this address lies in the heap's address space.
    #[must_use]
    pub fn owns(&self, block: *const u8) -> bool {
        self.process().is_some_and(|process| process.kernel.pages.address_of(block).is_some())
    }

    fn process(&self) -> Option<MutexGuard<'_, Process<Sound>>> {
        // The heap does not panic; if it did, the other threads would have to go on.
        self.process.get().map(|process| process.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Calls the heap, which speaks of guest addresses: they are aligned in the host as far as the memory itself is.
fn ask(process: &mut Process<Sound>, layout: Layout, call: impl FnOnce(&mut Process<Sound>) -> Option<u64>) -> *mut u8 {
    if GUARD_BYTES < layout.align() {
        return null_mut();
    }
    process.calls.clear();
    let block = call(process);
    block.map_or(null_mut(), |block| process.kernel.pages.host_of(block))
}

// SAFETY: blocks of the heap lie in its mapped pages, disjoint, aligned and as long as asked for, as its model demands;
// they are given up by nobody but their owner. The heap allocates nothing for its own books while it serves. All other
// blocks are the system's.
unsafe impl GlobalAlloc for ServingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.process() {
            Some(mut process) => {
                ask(&mut process, layout, |heap| heap.alloc(layout.size() as u64, layout.align() as u64))
            }
            // SAFETY: the caller's promises are those of the system's allocator.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.process() {
            Some(mut process) => {
                ask(&mut process, layout, |heap| heap.alloc_zeroed(layout.size() as u64, layout.align() as u64))
            }
            // SAFETY: as above.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (size, align) = (layout.size() as u64, layout.align() as u64);
        if let Some(mut process) = self.process()
            && let Some(guest) = process.kernel.pages.address_of(block)
        {
            return ask(&mut process, layout, |heap| heap.realloc(guest, size, align, new_size as u64));
        }
        // SAFETY: as above; the block is not the heap's.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(mut process) = self.process()
            && let Some(guest) = process.kernel.pages.address_of(block)
        {
            process.dealloc(guest, layout.size() as u64);
            return;
        }
        // SAFETY: as above; the block is not the heap's.
        unsafe { System.dealloc(block, layout) };
    }
}
