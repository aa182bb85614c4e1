//! Load-reserved and store-conditional: who has reserved what, and which stores end it.
//!
//! A reservation is an owner, an address and a size; it lives until a store touches one of its 64-byte lines, until an
//! invalidation does, or until its owner makes another or tries to store. Does not decide anything about the bytes
//! themselves.
//!
//! # Why a store may look at the count of live reservations only
//! A load-reserved registers while it holds the read locks of *all* shards in which its lines have a byte, and a store
//! looks while it holds the write locks of the shards of its bytes. If the store touches a line of the reservation,
//! then that byte's shard is locked by both, so one holds the lock after the other:
//! - The store is later: the lock's release and acquire order the registration before the look. The store reads the
//!   count of the registration or a later one. A later zero means that the table, whose mutex guards every change of
//!   the count, has been emptied since: the reservation is gone already. Anything else sends the store to the table.
//! - The store is earlier: the load has read what it stored, so the reservation is younger than the store and stays.
//!
//! So the count can be read without order of its own. The mutex is always taken last, under whatever shard locks are
//! held, and nothing is locked under it: together with the ascending order of the shards this rules out a deadlock.
//!
//! A store-conditional looks, stores and kills under the mutex. A foreign store to the same line in another shard kills
//! under the mutex too, before it lets go of its own shard: whoever sees one of the two stores sees them in the order
//! in which they had the mutex.

use super::access::{AccessSize, GuestPhysAddr, GuestRange, OwnerIndex};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The size of a line in bytes, as a power of two.
const LINE_SHIFT: u32 = 6;

/// Room for this many owners from the start; more are welcome and cost an allocation once.
const EXPECTED_OWNERS: usize = 16;

/// Lines next to each other, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lines {
    first: u64,
    last: u64,
}

impl Lines {
    /// The size of a line in bytes.
    pub(crate) const BYTES: usize = 1 << LINE_SHIFT;

    /// The lines that `[pa, pa + length)` touches, cut at the end of the address space; `None` for no bytes.
    #[inline]
    pub(crate) const fn spanning(pa: GuestPhysAddr, length: u64) -> Option<Self> {
        match length.checked_sub(1) {
            Some(to_last) => {
                Some(Lines { first: pa.get() >> LINE_SHIFT, last: pa.get().saturating_add(to_last) >> LINE_SHIFT })
            }
            None => None,
        }
    }

    /// The lines that a range touches; `None` for no bytes.
    #[inline]
    pub(crate) const fn of(range: GuestRange) -> Option<Self> {
        Self::spanning(GuestPhysAddr::new(range.start()), range.length())
    }

    /// The bytes of the lines, as far as they are below `size`.
    #[inline]
    pub(crate) fn bytes_below(self, size: u64) -> GuestRange {
        let start = self.first << LINE_SHIFT;
        let last = (self.last << LINE_SHIFT) | ((1 << LINE_SHIFT) - 1);
        GuestRange::between(start, last.saturating_add(1)).clipped_to(size)
    }

    const fn meet(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

#[derive(Debug, Clone, Copy)]
struct Reservation {
    owner: OwnerIndex,
    pa: GuestPhysAddr,
    size: AccessSize,
    lines: Lines,
}

impl Reservation {
    fn is(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) -> bool {
        (self.owner, self.pa, self.size) == (owner, pa, size)
    }
}

/// The live reservations: at most one for each owner.
#[derive(Debug)]
pub(crate) struct Reservations {
    /// The length of the table, changed under its mutex.
    live: AtomicUsize,
    table: Mutex<Vec<Reservation>>,
}

impl Reservations {
    pub(crate) fn new() -> Self {
        Reservations { live: AtomicUsize::new(0), table: Mutex::new(Vec::with_capacity(EXPECTED_OWNERS)) }
    }

    /// Registers a reservation and drops the owner's older one. The caller holds the locks of all shards of its lines.
    pub(crate) fn reserve(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) {
        let Some(lines) = Lines::spanning(pa, u64::from(size.bytes())) else { return };
        let mut table = self.lock();
        table.retain(|reservation| reservation.owner != owner);
        table.push(Reservation { owner, pa, size, lines });
        self.count(&table);
    }

    /// Whether this owner's reservation of exactly these bytes is live.
    pub(crate) fn holds(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) -> bool {
        self.lock().iter().any(|reservation| reservation.is(owner, pa, size))
    }

    /// If this owner's reservation of exactly these bytes is live: stores, kills the reservations on `lines`, and says
    /// true. The owner's reservation is over in any case. The caller holds the write locks of the bytes.
    pub(crate) fn store_if_live(
        &self,
        owner: OwnerIndex,
        pa: GuestPhysAddr,
        size: AccessSize,
        lines: Option<Lines>,
        store: impl FnOnce(),
    ) -> bool {
        let mut table = self.lock();
        let is_live = table.iter().any(|reservation| reservation.is(owner, pa, size));
        if is_live {
            store();
            Self::retain_away_from(&mut table, lines);
        }
        table.retain(|reservation| reservation.owner != owner);
        self.count(&table);
        is_live
    }

    /// Kills the reservations on `lines`. A store calls this under the write locks of its bytes.
    #[inline]
    pub(crate) fn kill(&self, lines: Option<Lines>) {
        if self.live.load(Ordering::Relaxed) != 0 {
            self.kill_in_table(lines);
        }
    }

    /// Kills the reservations on any of many lines, as [`Reservations::kill`] does.
    pub(crate) fn kill_each(&self, lines: impl Iterator<Item = Lines>) {
        if self.live.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut table = self.lock();
        for lines in lines {
            Self::retain_away_from(&mut table, Some(lines));
            if table.is_empty() {
                break;
            }
        }
        self.count(&table);
    }

    /// Kills every reservation.
    pub(crate) fn kill_all(&self) {
        let mut table = self.lock();
        table.clear();
        self.count(&table);
    }

    #[cold]
    fn kill_in_table(&self, lines: Option<Lines>) {
        let mut table = self.lock();
        Self::retain_away_from(&mut table, lines);
        self.count(&table);
    }

    fn retain_away_from(table: &mut Vec<Reservation>, lines: Option<Lines>) {
        if let Some(lines) = lines {
            table.retain(|reservation| !reservation.lines.meet(lines));
        }
    }

    fn count(&self, table: &[Reservation]) {
        self.live.store(table.len(), Ordering::Relaxed);
    }

    /// A panic cannot leave the table half changed, so a poisoned mutex is as good as new.
    fn lock(&self) -> MutexGuard<'_, Vec<Reservation>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
