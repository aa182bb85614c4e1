//! Malloc families as the program calls them. Rust's calls are made by those of C that its standard library would make.

use crate::allocator::{Allocator, Answer, Change, Get, Live};
use crate::{Malloc, errno};
use memtwin_models::heap::{HeapContract, OpKind, Setup, UNANSWERED_BYTES};
use memtwin_models::{Health, Unsupported};
use std::ptr;

/// No call of a malloc sets this error: what it becomes was changed.
const ERRNO_BEFORE_FREE: i32 = libc::EXDEV;
/// What `malloc` aligns to on this platform.
const MALLOC_ALIGN: usize = 16;

/// A malloc family.
#[derive(Debug)]
pub struct Family<M: Malloc> {
    malloc: M,
    contract: HeapContract,
}

impl<M: Malloc> Family<M> {
    /// A family that claims another contract than its type does.
    #[must_use]
    pub const fn with_contract(malloc: M, contract: HeapContract) -> Self {
        Family { malloc, contract }
    }

    fn by_errno(block: *mut u8) -> Answer {
        if block.is_null() && errno::get() == libc::EINVAL { Answer::Invalid } else { Answer::of(block) }
    }

    fn posix_memalign(&self, align: usize, size: usize) -> Answer {
        let (block, returned) = self.malloc.posix_memalign(align, size);
        // Its errno is not judged: what it returns is.
        errno::set(if returned == libc::ENOMEM { returned } else { 0 });
        match returned {
            libc::EINVAL => Answer::Invalid,
            0 => Answer::of(block),
            _ => Answer::Null,
        }
    }

    /// A block of a layout, as std's `System` asks for it.
    fn of_layout(&self, size: usize, align: usize) -> Answer {
        if align <= MALLOC_ALIGN && align <= size {
            return Answer::of(self.malloc.malloc(size));
        }
        if self.contract.has(OpKind::PosixMemalign) {
            return self.posix_memalign(align.max(size_of::<usize>()), size);
        }
        if self.contract.has(OpKind::AlignedAlloc) {
            return match size.checked_next_multiple_of(align) {
                Some(size) => Answer::of(self.malloc.aligned_alloc(align, size)),
                None => Answer::Unaskable,
            };
        }
        if self.contract.has(OpKind::Memalign) {
            return Answer::of(self.malloc.memalign(align, size));
        }
        Answer::Skipped
    }

    fn zeroed(&self, size: usize, align: usize) -> Answer {
        if align <= MALLOC_ALIGN && align <= size && self.contract.has(OpKind::Calloc) {
            return Answer::of(self.malloc.calloc(1, size));
        }
        let answer = self.of_layout(size, align);
        if let Answer::Block(block) = answer {
            // SAFETY: the block was just allocated with so many bytes.
            unsafe { ptr::write_bytes(block, 0, size) };
        }
        answer
    }
}

impl<M: Malloc> Allocator for Family<M> {
    const NAME: &'static str = M::NAME;
    const HEALTH: Health = M::HEALTH;
    const CONTRACT: HeapContract = M::CONTRACT;
    const FREED_BEFORE_RESET: bool = true;
    const IS_SHARED: bool = true;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Family { malloc: M::new(setup)?, contract: M::CONTRACT })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.malloc.reset(setup)
    }

    #[inline]
    fn nominal(&self, block: *mut u8) -> u64 {
        block as u64
    }

    #[inline]
    fn can_touch(&self, _block: *mut u8, bytes: usize) -> bool {
        (bytes as u64) < UNANSWERED_BYTES
    }

    #[inline]
    fn get(&mut self, call: Get) -> Answer {
        errno::set(0);
        let has = |kind| self.contract.has(kind);
        match call {
            Get::Malloc { size } => Answer::of(self.malloc.malloc(size)),
            Get::Calloc { count, size } if has(OpKind::Calloc) => Answer::of(self.malloc.calloc(count, size)),
            Get::PosixMemalign { align, size } if has(OpKind::PosixMemalign) => self.posix_memalign(align, size),
            Get::AlignedAlloc { align, size } if has(OpKind::AlignedAlloc) => {
                Self::by_errno(self.malloc.aligned_alloc(align, size))
            }
            Get::Memalign { align, size } if has(OpKind::Memalign) => Self::by_errno(self.malloc.memalign(align, size)),
            Get::Alloc { size, align } => self.of_layout(size.max(1), align),
            Get::AllocZeroed { size, align } => self.zeroed(size.max(1), align),
            Get::Calloc { .. } | Get::PosixMemalign { .. } | Get::AlignedAlloc { .. } | Get::Memalign { .. } => {
                Answer::Skipped
            }
        }
    }

    unsafe fn change(&mut self, live: Live, call: Change) -> Answer {
        errno::set(0);
        match call {
            // SAFETY: the caller says that the block is live.
            Change::Realloc { size } if self.contract.has(OpKind::Realloc) => {
                // SAFETY: as above.
                Answer::of(unsafe { self.malloc.realloc(live.block, size) })
            }
            Change::Reallocarray { count, size } if self.contract.has(OpKind::Reallocarray) => {
                // SAFETY: as above.
                Answer::of(unsafe { self.malloc.reallocarray(live.block, count, size) })
            }
            Change::Realloc { .. } | Change::Reallocarray { .. } => Answer::Skipped,
            Change::Relayout { size, align, zeroed } => {
                let answer = if zeroed { self.zeroed(size, align) } else { self.of_layout(size, align) };
                if let Answer::Block(block) = answer {
                    let kept = live.size.min(size);
                    // SAFETY: both blocks have so many bytes, and a new block overlaps no live one.
                    unsafe { ptr::copy_nonoverlapping(live.block, block, kept) };
                    // SAFETY: the caller says that the block is live.
                    unsafe { self.malloc.free(live.block) };
                }
                answer
            }
        }
    }

    #[inline]
    unsafe fn free(&mut self, live: Live) {
        errno::set(ERRNO_BEFORE_FREE);
        // SAFETY: the caller says that the block is live.
        unsafe { self.malloc.free(live.block) };
    }

    fn free_null(&mut self) -> bool {
        errno::set(ERRNO_BEFORE_FREE);
        // SAFETY: null is always allowed.
        unsafe { self.malloc.free(ptr::null_mut()) };
        true
    }

    #[inline]
    fn errno(&self) -> Option<i32> {
        Some(errno::get())
    }

    fn errno_after_free(&self) -> Option<i32> {
        Some(match errno::get() {
            ERRNO_BEFORE_FREE => 0,
            0 => -1,
            other => other,
        })
    }

    fn usable_size(&mut self, live: Live) -> Option<usize> {
        // SAFETY: the program asks for its live blocks alone.
        self.contract.has(OpKind::UsableSize).then(|| unsafe { self.malloc.usable_size(live.block) })
    }

    fn extend(&mut self, _setup: &Setup, _bytes: usize) -> Option<bool> {
        None
    }

    fn add_region(&mut self, _setup: &Setup) -> Option<bool> {
        None
    }

    #[inline]
    fn stray_byte(&self, _everywhere: bool) -> Option<u64> {
        None
    }

    fn trim(&mut self) {
        self.malloc.trim();
    }

    fn live_blocks(&self) -> Option<u64> {
        None
    }

    fn held_bytes(&self) -> Option<u64> {
        self.malloc.held_bytes()
    }

    #[inline]
    fn take_refusal(&mut self) -> bool {
        self.malloc.take_refusal()
    }

    fn thread_exits(&self) {
        self.malloc.thread_exits();
    }
}
