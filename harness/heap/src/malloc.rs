//! A malloc family in C's manner, as a table of functions. It knows nothing of ops.

use memtwin_models::heap::{HeapContract, Setup};
use memtwin_models::{Health, Unsupported};

/// A malloc family. A call that it does not have is missing in its contract too ([`HeapContract::calls`]), and is not
/// made. Refusals set `errno` as C and POSIX say.
pub trait Malloc: Sized + Sync + 'static {
    /// The name on the command line, unique within the component.
    const NAME: &'static str;
    /// Whether it is expected to agree with the model.
    const HEALTH: Health = Health::Sound;
    /// What its documentation claims: [`HeapContract::LIBRARY`], with the freedoms that it takes.
    const CONTRACT: HeapContract = HeapContract::LIBRARY;

    /// Whether it simulates the system beneath it, carries out the setup's fault plan itself, and tells of it by
    /// [`Malloc::take_refusal`]. Else workers refuse what its calls ask the system for, and know when they did.
    const SIMULATES_SYSTEM: bool = false;

    /// A new one.
    ///
    /// # Errors
    /// When the host does not give what it needs.
    fn new(setup: &Setup) -> Result<Self, Unsupported>;

    /// Returns to the state of [`Malloc::new`] if it can, and says so; nothing is live.
    fn reset(&mut self, _setup: &Setup) -> bool {
        false
    }

    /// `malloc(size)`.
    fn malloc(&self, size: usize) -> *mut u8;

    /// `free(block)`; null is nothing to free.
    ///
    /// # Safety
    /// The block is null, or live.
    unsafe fn free(&self, block: *mut u8);

    /// `calloc(count, size)`.
    fn calloc(&self, count: usize, size: usize) -> *mut u8;

    /// `realloc(block, size)`; the size is not 0.
    ///
    /// # Safety
    /// The block is live.
    unsafe fn realloc(&self, block: *mut u8, size: usize) -> *mut u8;

    /// `reallocarray(block, count, size)`.
    ///
    /// # Safety
    /// The block is live.
    unsafe fn reallocarray(&self, block: *mut u8, count: usize, size: usize) -> *mut u8;

    /// `posix_memalign(&block, align, size)`: the block or null, and what it returned.
    fn posix_memalign(&self, align: usize, size: usize) -> (*mut u8, i32);

    /// `aligned_alloc(align, size)`.
    fn aligned_alloc(&self, align: usize, size: usize) -> *mut u8;

    /// `memalign(align, size)`.
    fn memalign(&self, align: usize, size: usize) -> *mut u8 {
        self.aligned_alloc(align, size)
    }

    /// `malloc_usable_size(block)`.
    ///
    /// # Safety
    /// The block is live.
    unsafe fn usable_size(&self, block: *mut u8) -> usize;

    /// Gives back to the system what is not needed.
    fn trim(&self) {}

    /// How many bytes it holds from the system, if it can tell.
    fn held_bytes(&self) -> Option<u64> {
        None
    }

    /// Whether its simulated system has refused it something since it was asked last.
    fn take_refusal(&self) -> bool {
        false
    }

    /// The thread that calls is about to end.
    fn thread_exits(&self) {}
}
