//! What the program asks of an allocator, whatever family it is of. Each family carries out the calls of the other
//! language by those that it has.

use memtwin_models::heap::{HeapContract, Setup};
use memtwin_models::{Health, Unsupported};

/// A call that gets a block.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the arguments of the call
pub enum Get {
    Malloc { size: usize },
    Calloc { count: usize, size: usize },
    PosixMemalign { align: usize, size: usize },
    AlignedAlloc { align: usize, size: usize },
    Memalign { align: usize, size: usize },
    Alloc { size: usize, align: usize },
    AllocZeroed { size: usize, align: usize },
}

/// A call that changes a block.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the arguments of the call
pub enum Change {
    Realloc { size: usize },
    Reallocarray { count: usize, size: usize },
    Relayout { size: usize, align: usize, zeroed: bool },
}

/// The answer to either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A block; not null.
    Block(*mut u8),
    /// Null.
    Null,
    /// EINVAL.
    Invalid,
    /// The language cannot say the request.
    Unaskable,
    /// There is no such call.
    Skipped,
}

impl Answer {
    /// The answer that a pointer stands for.
    #[inline]
    #[must_use]
    pub fn of(block: *mut u8) -> Self {
        if block.is_null() { Answer::Null } else { Answer::Block(block) }
    }
}

/// A live block as the program knows it.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // what the program asked for and got
pub struct Live {
    pub block: *mut u8,
    pub size: usize,
    pub align: usize,
}

/// An allocator of some family, as the program calls it.
pub trait Allocator: Sized + 'static {
    /// The name on the command line.
    const NAME: &'static str;
    /// Whether it is expected to agree with the model.
    const HEALTH: Health;
    /// What its documentation claims.
    const CONTRACT: HeapContract;
    /// Whether every block must be freed before [`Allocator::reset`].
    const FREED_BEFORE_RESET: bool;

    /// A new one for a setup.
    ///
    /// # Errors
    /// When it cannot serve such a setup.
    fn new(setup: &Setup) -> Result<Self, Unsupported>;

    /// The trace is at its end: what is still live is freed, and then comes [`Allocator::reset`].
    fn trace_ends(&mut self) {}

    /// Returns to the state of a new one, as far as it can, and says whether it did.
    fn reset(&mut self, setup: &Setup) -> bool;

    /// The address that the model is told.
    fn nominal(&self, block: *mut u8) -> u64;

    /// Whether the program may touch so many bytes there: a wrong answer must not lead to writes over the harness.
    fn can_touch(&self, block: *mut u8, bytes: usize) -> bool;

    /// Gets a block.
    fn get(&mut self, call: Get) -> Answer;

    /// Changes a block.
    ///
    /// # Safety
    /// The block is live, and was allocated as said.
    unsafe fn change(&mut self, live: Live, call: Change) -> Answer;

    /// Frees a block.
    ///
    /// # Safety
    /// As for [`Allocator::change`].
    unsafe fn free(&mut self, live: Live);

    /// `free(NULL)`; whether there is such a call.
    fn free_null(&mut self) -> bool;

    /// `errno` after the last call, if the family has one.
    fn errno(&self) -> Option<i32>;

    /// `errno` after `free`: 0 if it is what it was before.
    fn errno_after_free(&self) -> Option<i32>;

    /// The usable size of a live block, if there is such a call.
    fn usable_size(&mut self, live: Live) -> Option<usize>;

    /// Extends the first region by so many bytes; `None` where there are no regions.
    fn extend(&mut self, setup: &Setup, bytes: usize) -> Option<bool>;

    /// Adds the second region; `None` where there are no regions.
    fn add_region(&mut self, setup: &Setup) -> Option<bool>;

    /// The address of a byte outside of the regions that changed: a look nearby, or everywhere.
    fn stray_byte(&self, everywhere: bool) -> Option<u64>;

    /// Gives back what is not needed.
    fn trim(&mut self);

    /// The live blocks by the allocator's own books.
    fn live_blocks(&self) -> Option<u64>;

    /// The bytes that it holds from the system.
    fn held_bytes(&self) -> Option<u64>;

    /// Whether the system has refused it something since it was asked last.
    fn take_refusal(&mut self) -> bool;

    /// Whether another thread may free what this one got.
    const IS_SHARED: bool;

    /// The thread that calls is about to end.
    fn thread_exits(&self);
}

/// The alignment of `malloc`: that of any object that fits the size, up to 16.
pub(crate) const fn natural_align(size: usize) -> usize {
    if size < 2 {
        1
    } else if 16 <= size {
        16
    } else {
        1 << size.ilog2()
    }
}
