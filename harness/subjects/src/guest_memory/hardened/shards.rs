//! Which bytes a lock protects, and the only way to reach them.
//!
//! Memory is divided in 16 shards of `ceil(size / 16)` bytes, each behind a lock of its own; the last takes what is
//! left, which may be nothing. The bytes themselves are one region, so an access over several shards is still one copy.
//! Allows no access without a range check and without all the locks of its bytes.

use super::access::{GuestRange, VmError};
use super::backing::Backing;
use std::fmt;
use std::ptr::NonNull;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The number of shards.
pub(crate) const SHARDS: usize = 16;

/// A lock on a cache line of its own: neighbours that are locked at the same time do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
struct ShardLock(RwLock<()>);

impl ShardLock {
    /// Whoever panicked under the lock left bytes behind, and bytes are always valid: a poisoned lock is as good as
    /// new.
    #[inline]
    fn read(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn write(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guest's bytes behind their locks.
pub(crate) struct ShardedBytes {
    locks: [ShardLock; SHARDS],
    base: NonNull<u8>,
    size: u64,
    shard_size: u64,
    /// `shard_size` as a power of two: most sizes are, and a division would be a third of the cost of an access.
    shard_shift: Option<u32>,
    /// Owns the bytes that `base` points to.
    _backing: Box<dyn Backing>,
}

impl ShardedBytes {
    /// Divides a backing in shards.
    pub(crate) fn new(backing: Box<dyn Backing>) -> Self {
        let size = backing.size_bytes() as u64;
        let shard_size = size.div_ceil(SHARDS as u64);
        ShardedBytes {
            locks: std::array::from_fn(|_| ShardLock::default()),
            base: backing.base(),
            size,
            shard_size,
            shard_shift: shard_size.is_power_of_two().then(|| shard_size.trailing_zeros()),
            _backing: backing,
        }
    }

    /// The size in bytes.
    #[inline]
    #[must_use]
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes per shard; 0 only in a memory of no bytes.
    #[inline]
    #[must_use]
    pub(crate) const fn shard_size(&self) -> u64 {
        self.shard_size
    }

    /// All bytes.
    #[inline]
    #[must_use]
    pub(crate) const fn whole(&self) -> GuestRange {
        GuestRange::up_to(self.size)
    }

    /// Shows the bytes of `range` to `reader` while nobody writes them.
    #[inline]
    pub(crate) fn read<R>(&self, range: GuestRange, reader: impl FnOnce(&[u8]) -> R) -> Result<R, VmError> {
        let (pointer, length) = self.locate(range)?;
        if length == 0 {
            return Ok(reader(&[]));
        }
        let (first, last) = self.shards_of(range);
        if first == last {
            let _guard = self.locks[first].read();
            // SAFETY: `locate` found the range inside the backing, whose bytes are initialised and live as long as
            // self. All changes are made in `write` under the write lock of the shard, and the read lock is held.
            return Ok(reader(unsafe { std::slice::from_raw_parts(pointer, length) }));
        }
        let mut guards: [Option<RwLockReadGuard<'_, ()>>; SHARDS] = [const { None }; SHARDS];
        // Ascending, like every other holder of several locks: so there is no cycle of waiting threads.
        for (guard, lock) in guards.iter_mut().zip(&self.locks[first..=last]) {
            *guard = Some(lock.read());
        }
        // SAFETY: as above, with the read locks of all shards that hold a byte of the range.
        Ok(reader(unsafe { std::slice::from_raw_parts(pointer, length) }))
    }

    /// Gives the bytes of `range` to `writer` while nobody else reads or writes them.
    #[inline]
    pub(crate) fn write<R>(&self, range: GuestRange, writer: impl FnOnce(&mut [u8]) -> R) -> Result<R, VmError> {
        let (pointer, length) = self.locate(range)?;
        if length == 0 {
            return Ok(writer(&mut []));
        }
        let (first, last) = self.shards_of(range);
        if first == last {
            let _guard = self.locks[first].write();
            // SAFETY: `locate` found the range inside the backing, whose bytes are initialised and live as long as
            // self. Every other access needs a lock of this shard, and its write lock is held: the slice is the only
            // one.
            return Ok(writer(unsafe { std::slice::from_raw_parts_mut(pointer, length) }));
        }
        let mut guards: [Option<RwLockWriteGuard<'_, ()>>; SHARDS] = [const { None }; SHARDS];
        for (guard, lock) in guards.iter_mut().zip(&self.locks[first..=last]) {
            *guard = Some(lock.write());
        }
        // SAFETY: as above, with the write locks of all shards that hold a byte of the range.
        Ok(writer(unsafe { std::slice::from_raw_parts_mut(pointer, length) }))
    }

    /// The host bytes of a range: the one place where a guest address meets a pointer, and it checks the range first.
    #[inline]
    fn locate(&self, range: GuestRange) -> Result<(*mut u8, usize), VmError> {
        self.check(range)?;
        let (Ok(offset), Ok(length)) = (usize::try_from(range.start()), usize::try_from(range.length())) else {
            return Err(range.invalid());
        };
        // SAFETY: offset <= offset + length <= size, the size of the backing.
        Ok((unsafe { self.base.as_ptr().add(offset) }, length))
    }

    /// Whether all of a range is in memory; for no bytes, whether it begins at most at the end.
    #[inline]
    pub(crate) const fn check(&self, range: GuestRange) -> Result<(), VmError> {
        if range.end() <= self.size { Ok(()) } else { Err(range.invalid()) }
    }

    /// The first and the last shard of a range that is in memory and not empty.
    #[inline]
    fn shards_of(&self, range: GuestRange) -> (usize, usize) {
        let first = self.shard_of(range.start());
        if range.end() - range.start() <= self.shard_size - (range.start() - first as u64 * self.shard_size) {
            return (first, first);
        }
        (first, self.shard_of(range.end() - 1))
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // address < size <= SHARDS * shard_size, so the quotient is below SHARDS
    fn shard_of(&self, address: u64) -> usize {
        match self.shard_shift {
            Some(shift) => (address >> shift) as usize,
            None => (address / self.shard_size) as usize,
        }
    }
}

// SAFETY: the backing is Send and owned by the value; `base` is only an address into it.
unsafe impl Send for ShardedBytes {}
// SAFETY: the bytes are reached through `read` and `write` alone, under the locks.
unsafe impl Sync for ShardedBytes {}

impl fmt::Debug for ShardedBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ShardedBytes").field("size", &self.size).finish_non_exhaustive()
    }
}
