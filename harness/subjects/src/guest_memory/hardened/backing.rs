//! Where the bytes of guest memory live: one lazily mapped region between guards.
//!
//! Does not allocate one large zeroed block: a mapping costs what is touched of it, so 64 GiB are as cheap to make as
//! 64 KiB.

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};
use std::fmt;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The inaccessible space on either side of a mapping, in bytes: a stray pointer faults instead of finding a neighbour.
pub const GUARD_BYTES: usize = 4 << 20;

/// Where a mapping begins is a multiple of this, in bytes, so that huge pages fit and offsets are easy to read.
const ALIGNMENT_BYTES: usize = 4 << 20;
const PAGE_BYTES: usize = 4096;
/// Below this size in bytes no huge page fits anyway.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Memory that can back a guest's.
///
/// # Safety
/// `base` must point to `size_bytes` bytes of initialised memory that stay readable, writable, in place and unshared
/// with any other Rust object for as long as the value lives.
pub unsafe trait Backing: Send + Sync {
    /// The first byte.
    fn base(&self) -> NonNull<u8>;
    /// The size in bytes.
    fn size_bytes(&self) -> usize;
}

/// Anonymous memory, zero at first, of which only touched pages cost anything.
pub struct LazyMapping {
    reserved: NonNull<u8>,
    reserved_bytes: usize,
    base: NonNull<u8>,
    size_bytes: usize,
}

/// The host would not give the address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReserveError {
    /// The size of guest memory asked for, in bytes.
    pub size_bytes: u64,
    /// The host's reason.
    pub reason: Errno,
}

impl fmt::Display for ReserveError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot reserve {} bytes for guest memory: {}", self.size_bytes, self.reason.desc())
    }
}

impl std::error::Error for ReserveError {}

impl LazyMapping {
    /// A mapping of `size_bytes` bytes, which may be 0.
    pub fn new(size_bytes: u64) -> Result<Self, ReserveError> {
        let refused = |reason| ReserveError { size_bytes, reason };
        let size = usize::try_from(size_bytes).map_err(|_| refused(Errno::ENOMEM))?;
        let accessible_bytes = size.checked_next_multiple_of(PAGE_BYTES).ok_or(refused(Errno::ENOMEM))?;
        let reserved_bytes = accessible_bytes
            .checked_add(2 * GUARD_BYTES + ALIGNMENT_BYTES)
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .and_then(NonZeroUsize::new)
            .ok_or(refused(Errno::ENOMEM))?;
        // Without NORESERVE the kernel would account for all of it at once and refuse large memories.
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_ANONYMOUS | MapFlags::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice replaces nothing.
        let reserved = unsafe { mmap_anonymous(None, reserved_bytes, ProtFlags::PROT_NONE, flags) }.map_err(refused)?;
        let reserved = reserved.cast::<u8>();
        let after_guard = reserved.as_ptr().addr() + GUARD_BYTES;
        let offset = GUARD_BYTES + (after_guard.next_multiple_of(ALIGNMENT_BYTES) - after_guard);
        // SAFETY: the offset is at most GUARD_BYTES + ALIGNMENT_BYTES, inside the reservation.
        let base = unsafe { reserved.add(offset) };
        let mapping = LazyMapping { reserved, reserved_bytes: reserved_bytes.get(), base, size_bytes: size };
        if accessible_bytes != 0 {
            // SAFETY: the pages belong to the reservation just made, to which nobody else has a pointer.
            unsafe { mprotect(base.cast(), accessible_bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE) }
                .map_err(refused)?;
        }
        if accessible_bytes >= HUGE_PAGE_BYTES {
            // A byte touched must not cost 2 MiB. This is advice: a kernel without huge pages says no, and none is
            // needed. SAFETY: the advice changes no content, and the pages are ours.
            let _ = unsafe { madvise(base.cast(), accessible_bytes, MmapAdvise::MADV_NOHUGEPAGE) };
        }
        Ok(mapping)
    }
}

// SAFETY: `base` is the first of `size_bytes` accessible bytes of a private mapping, which the kernel fills with zeros
// and which stays until drop; no Rust object was made in it.
unsafe impl Backing for LazyMapping {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

impl Drop for LazyMapping {
    fn drop(&mut self) {
        // SAFETY: this is the whole reservation as `new` made it, and nobody uses it any more: pointers into it live no
        // longer than the value. An error is impossible for a range that was mapped as one, and could not be handled
        // here.
        let _ = unsafe { munmap(self.reserved.cast(), self.reserved_bytes) };
    }
}

// SAFETY: the mapping is owned by the value alone and tied to no thread.
unsafe impl Send for LazyMapping {}
// SAFETY: a shared value gives out addresses and sizes only; who follows the pointers must synchronise.
unsafe impl Sync for LazyMapping {}

impl fmt::Debug for LazyMapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LazyMapping").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}
