//! Guest physical memory: sharded bytes and reservations, put together so that each call is atomic towards other
//! threads.
//!
//! Does not know devices and alignment, which are [`super::soft_mmu`]'s, and does not give out host pointers.

use super::access::{AccessSize, GuestPhysAddr, GuestRange, MemoryAccess, OwnerIndex, VmError};
use super::backing::{Backing, LazyMapping, ReserveError};
use super::dirty::DirtyLog;
use super::memory::Exchanged;
use super::reservations::{Lines, Reservations};
use super::shards::ShardedBytes;
use std::sync::Arc;

/// A guest's memory, shared by all its virtual CPUs.
#[derive(Debug)]
pub struct PhysicalMemory {
    pub(crate) bytes: ShardedBytes,
    pub(crate) reservations: Reservations,
    dirty: Option<DirtyLog>,
}

impl PhysicalMemory {
    /// Memory of `size_bytes` zeros, which may be 0; only touched pages cost anything. Fails where the host refuses the
    /// address space.
    pub fn new(size_bytes: u64) -> Result<Self, ReserveError> {
        Ok(Self::with_backing(Box::new(LazyMapping::new(size_bytes)?)))
    }

    /// Memory over a backing of the caller's (huge pages, a shared file).
    #[must_use]
    pub fn with_backing(backing: Box<dyn Backing>) -> Self {
        PhysicalMemory { bytes: ShardedBytes::new(backing), reservations: Reservations::new(), dirty: None }
    }

    /// The same memory with a log of the pages that are written from now on.
    #[must_use]
    pub fn with_dirty_log(self) -> Self {
        let log = DirtyLog::new([self.bytes.whole()]);
        PhysicalMemory { dirty: Some(log), ..self }
    }

    /// The log of written pages, where there is one.
    #[must_use]
    pub fn dirty_log(&self) -> Option<&DirtyLog> {
        self.dirty.as_ref()
    }

    /// What follows a store, under the locks of its bytes.
    #[inline]
    pub(crate) fn stored(&self, range: GuestRange) {
        self.reservations.kill(Lines::of(range));
        self.mark(range);
    }

    /// Notes in the log that the bytes of a range were stored. The caller holds their locks.
    #[inline]
    pub(crate) fn mark(&self, range: GuestRange) {
        if let Some(log) = &self.dirty {
            log.mark(range);
        }
    }

    /// The size in bytes.
    #[inline]
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.bytes.size()
    }

    /// Bytes per shard: `ceil(size / 16)`.
    #[inline]
    #[must_use]
    pub const fn shard_size(&self) -> u64 {
        self.bytes.shard_size()
    }

    /// The scalar at `pa`.
    #[inline]
    pub fn load(&self, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        self.bytes.read(GuestRange::of_scalar(pa, size)?, |bytes| size.load(bytes))
    }

    /// Stores the low bytes of `value` at `pa`.
    #[inline]
    pub fn store(&self, pa: GuestPhysAddr, value: u64, size: AccessSize) -> Result<(), VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        self.bytes.write(range, |bytes| {
            size.store(value, bytes);
            self.stored(range);
        })
    }

    /// The scalar at `pa`, reserved for `owner`.
    pub fn load_reserved(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        self.bytes.check(range)?;
        // All shards of the lines, not of the bytes alone: see the argument in `reservations`. A line contains its
        // bytes, so the locked range contains the scalar.
        let locked = Lines::of(range).map_or(range, |lines| lines.bytes_below(self.size()));
        let offset = range.start().saturating_sub(locked.start());
        self.bytes.read(locked, |bytes| {
            self.reservations.reserve(owner, pa, size);
            usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).map_or(0, |scalar| size.load(scalar))
        })
    }

    /// Stores at `pa` if `owner`'s reservation of the same bytes is live, and says whether it was.
    pub fn store_conditional(
        &self,
        owner: OwnerIndex,
        pa: GuestPhysAddr,
        value: u64,
        size: AccessSize,
    ) -> Result<bool, VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        self.bytes.write(range, |bytes| {
            self.reservations.store_if_live(owner, pa, size, Lines::of(range), || {
                size.store(value, bytes);
                self.mark(range);
            })
        })
    }

    /// Stores at `pa` if the low bytes of `expected` are there, and says what was. Where it stores nothing, it is no
    /// store: reservations stay.
    pub fn compare_exchange(
        &self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: AccessSize,
    ) -> Result<Exchanged, VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        self.bytes.write(range, |bytes| {
            let before = size.load(bytes);
            if before != size.truncate(expected) {
                return Err(before);
            }
            size.store(value, bytes);
            self.stored(range);
            Ok(before)
        })
    }

    /// Kills all reservations on the lines of `[pa, pa + size)`.
    pub fn invalidate_reservation(&self, pa: GuestPhysAddr, size: u8) {
        self.reservations.kill(Lines::spanning(pa, u64::from(size)));
    }

    /// Fills `buffer` from `pa` on.
    #[inline]
    pub fn load_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        self.bytes.read(GuestRange::of_slice(pa, buffer)?, |bytes| buffer.copy_from_slice(bytes))
    }

    /// Stores `source` from `pa` on.
    #[inline]
    pub fn store_bulk(&self, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, source)?;
        self.bytes.write(range, |bytes| {
            bytes.copy_from_slice(source);
            self.stored(range);
        })
    }

    /// Makes the bytes of the ranges zero and kills the reservations on their lines, as one step towards other threads:
    /// what a balloon gives back, or a guest that starts anew. Bytes beyond the end are left out.
    pub fn clear(&self, ranges: impl Iterator<Item = GuestRange> + Clone) -> Result<(), VmError> {
        self.bytes.write(self.bytes.whole(), |bytes| {
            for range in ranges.clone() {
                let range = range.clipped_to(self.size());
                let (start, end) = (usize::try_from(range.start()), usize::try_from(range.end()));
                if let (Ok(start), Ok(end)) = (start, end)
                    && let Some(bytes) = bytes.get_mut(start..end)
                {
                    bytes.fill(0);
                    self.mark(range);
                }
            }
            self.reservations.kill_each(ranges.filter_map(Lines::of));
        })
    }

    /// A copy of all bytes.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        self.bytes.read(self.bytes.whole(), <[u8]>::to_vec).unwrap_or_default()
    }

    /// Replaces all bytes and kills every reservation. Fails, and changes nothing, unless `source` has the memory's
    /// size.
    pub fn restore(&self, source: &[u8]) -> Result<(), String> {
        if source.len() as u64 != self.size() {
            return Err(format!("cannot restore {} bytes into a memory of {} bytes", source.len(), self.size()));
        }
        let restored = self.bytes.write(self.bytes.whole(), |bytes| {
            bytes.copy_from_slice(source);
            self.reservations.kill_all();
            self.mark(self.bytes.whole());
        });
        restored.map_err(|error| error.to_string())
    }
}

/// One virtual CPU's view of a [`PhysicalMemory`].
#[derive(Debug, Clone)]
pub struct PhysicalHandle {
    memory: Arc<PhysicalMemory>,
    owner: OwnerIndex,
}

impl PhysicalHandle {
    /// The view of `owner`.
    #[must_use]
    pub const fn new(memory: Arc<PhysicalMemory>, owner: OwnerIndex) -> Self {
        PhysicalHandle { memory, owner }
    }

    /// The memory behind it.
    pub(crate) fn memory(&self) -> &PhysicalMemory {
        &self.memory
    }
}

impl MemoryAccess for PhysicalHandle {
    #[inline]
    fn read(&self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        self.memory.load(pa, AccessSize::try_new(pa, size)?)
    }

    #[inline]
    fn write(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<(), VmError> {
        self.memory.store(pa, value, AccessSize::try_new(pa, size)?)
    }

    #[inline]
    fn fetch_insn(&self, pc: GuestPhysAddr) -> Result<u32, VmError> {
        self.memory.load(pc, AccessSize::Word).map(low_word)
    }

    fn load_reserved(&mut self, pa: GuestPhysAddr, size: u8) -> Result<u64, VmError> {
        self.memory.load_reserved(self.owner, pa, AccessSize::try_new(pa, size)?)
    }

    fn store_conditional(&mut self, pa: GuestPhysAddr, value: u64, size: u8) -> Result<bool, VmError> {
        self.memory.store_conditional(self.owner, pa, value, AccessSize::try_new(pa, size)?)
    }

    fn invalidate_reservation(&mut self, pa: GuestPhysAddr, size: u8) {
        self.memory.invalidate_reservation(pa, size);
    }

    #[inline]
    fn read_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        self.memory.load_bulk(pa, buffer)
    }

    #[inline]
    fn write_bulk(&mut self, pa: GuestPhysAddr, bytes: &[u8]) -> Result<(), VmError> {
        self.memory.store_bulk(pa, bytes)
    }

    fn memory_size(&self) -> u64 {
        self.memory.size()
    }

    fn dump_memory(&self) -> Vec<u8> {
        self.memory.dump()
    }

    fn restore_memory(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.memory.restore(bytes)
    }
}

/// A scalar of 4 bytes as what it is: its upper half is zero.
#[inline]
#[allow(clippy::cast_possible_truncation)]
pub(crate) const fn low_word(value: u64) -> u32 {
    value as u32
}
