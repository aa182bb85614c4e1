//! Guest memory in regions: each at an address of its own and with a backing of its own, so that neighbours in the
//! guest may lie apart in the host.
//!
//! An access over regions that meet holds the locks of all its bytes before it moves one: regions ascending, in each
//! the shards ascending. It lets them go piece by piece, the highest first; as nobody takes a lower lock after a higher
//! one, nobody sees half of it. The reservations' mutex is taken last, as in [`super::physical`]. Does not know
//! devices.

use super::access::{AccessSize, GuestPhysAddr, GuestRange, OwnerIndex, VmError};
use super::backing::{LazyMapping, ReserveError};
use super::dirty::DirtyLog;
use super::memory::{Exchanged, Memory};
use super::reservations::{Lines, Reservations};
use super::shards::ShardedBytes;
use std::fmt;

/// Bytes from an address on.
#[derive(Debug)]
struct Region {
    base: u64,
    bytes: ShardedBytes,
}

impl Region {
    fn end(&self) -> u64 {
        self.base.saturating_add(self.bytes.size())
    }

    /// The part of a range that lies here, by the region's own addresses.
    fn local(&self, range: GuestRange) -> GuestRange {
        let local = |address: u64| address.clamp(self.base, self.end()) - self.base;
        GuestRange::between(local(range.start()), local(range.end()))
    }
}

/// A part of an access: the region, and its own addresses.
type Piece<'a> = (&'a Region, GuestRange);

/// Regions cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutError {
    /// One wraps the address space.
    Wraps,
    /// Two overlap, or are not sorted by address.
    Overlaps,
    /// The host refused the address space.
    Refused(ReserveError),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::Wraps => formatter.write_str("a region of memory wraps the address space"),
            LayoutError::Overlaps => formatter.write_str("two regions of memory overlap, or are not sorted"),
            LayoutError::Refused(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for LayoutError {}

/// A guest's memory in regions, shared by all its virtual CPUs.
#[derive(Debug)]
pub struct RegionMemory {
    /// Sorted by address, disjoint.
    regions: Vec<Region>,
    reservations: Reservations,
    dirty: Option<DirtyLog>,
}

impl RegionMemory {
    /// Memory of zeros in these regions, each an address and a size in bytes, sorted by address.
    pub fn new(layout: impl IntoIterator<Item = (GuestPhysAddr, u64)>) -> Result<Self, LayoutError> {
        let mut regions: Vec<Region> = Vec::new();
        for (base, bytes) in layout {
            GuestRange::try_new(base, bytes).map_err(|_| LayoutError::Wraps)?;
            if regions.last().is_some_and(|last| base.get() < last.end()) {
                return Err(LayoutError::Overlaps);
            }
            let backing = LazyMapping::new(bytes).map_err(LayoutError::Refused)?;
            regions.push(Region { base: base.get(), bytes: ShardedBytes::new(Box::new(backing)) });
        }
        Ok(RegionMemory { regions, reservations: Reservations::new(), dirty: None })
    }

    /// The same memory with a log of the pages that are written from now on.
    #[must_use]
    pub fn with_dirty_log(self) -> Self {
        let log = DirtyLog::new(self.ranges());
        RegionMemory { dirty: Some(log), ..self }
    }

    /// Notes in the log that the bytes of a range were stored. The caller holds their locks.
    fn mark(&self, range: GuestRange) {
        if let Some(log) = &self.dirty {
            log.mark(range);
        }
    }

    /// The ranges of all regions.
    pub fn ranges(&self) -> impl Iterator<Item = GuestRange> {
        self.regions.iter().map(|region| GuestRange::between(region.base, region.end()))
    }

    /// Makes the bytes of the ranges zero and kills the reservations on their lines; bytes outside of all regions are
    /// left out.
    pub fn clear(&self, ranges: impl Iterator<Item = GuestRange> + Clone) -> Result<(), VmError> {
        for region in &self.regions {
            for local in ranges.clone().map(|range| region.local(range)) {
                region.bytes.write(local, |bytes| bytes.fill(0))?;
            }
        }
        ranges.clone().for_each(|range| self.mark(range));
        self.reservations.kill_each(ranges.filter_map(Lines::of));
        Ok(())
    }

    /// The pieces of a range; an error unless each of its bytes lies in a region. No bytes may lie at a region's end.
    fn pieces(&self, range: GuestRange) -> Result<impl Iterator<Item = Piece<'_>>, VmError> {
        let after = self.regions.partition_point(|region| region.base <= range.start());
        let first = after.checked_sub(1).ok_or(range.invalid())?;
        let regions = self.regions.get(first..).unwrap_or_default();
        let mut reached = regions.first().map_or(0, Region::end);
        if reached < range.start() {
            return Err(range.invalid());
        }
        let mut count = 1;
        while reached < range.end() {
            let next = regions.get(count).filter(|region| region.base == reached).ok_or(range.invalid())?;
            reached = next.end();
            count += 1;
        }
        Ok(regions.iter().take(count).map(move |region| (region, region.local(range))))
    }

    fn all(&self) -> impl Iterator<Item = Piece<'_>> {
        self.regions.iter().map(|region| (region, region.bytes.whole()))
    }

    /// The bytes of `lines` that are memory in a row with those of `range`, which are.
    fn memory_round(&self, range: GuestRange, lines: GuestRange) -> GuestRange {
        let (mut low, mut high) = (range.start(), range.end());
        for region in self.regions.iter().rev() {
            if region.base < low && low <= region.end() {
                low = region.base;
            }
        }
        for region in &self.regions {
            if region.base <= high && high < region.end() {
                high = region.end();
            }
        }
        GuestRange::between(low.max(lines.start()), high.min(lines.end()))
    }
}

/// Copies the pieces into `buffer`, which has room for exactly them, and calls `locked` once while all of their locks
/// are held.
fn read<'a>(
    pieces: &mut dyn Iterator<Item = Piece<'a>>,
    buffer: &mut [u8],
    locked: &mut dyn FnMut(),
) -> Result<(), VmError> {
    let Some((region, local)) = pieces.next() else {
        locked();
        return Ok(());
    };
    let length = usize::try_from(local.length()).unwrap_or(usize::MAX);
    let (mine, others) = buffer.split_at_mut_checked(length).ok_or(local.invalid())?;
    region.bytes.read(local, |bytes| {
        read(pieces, others, locked)?;
        mine.copy_from_slice(bytes);
        Ok(())
    })?
}

/// Copies `source`, which has exactly their bytes, into the pieces, if `allowed` says so while all of their locks are
/// held. Says whether it did.
fn write<'a>(
    pieces: &mut dyn Iterator<Item = Piece<'a>>,
    source: &[u8],
    allowed: &mut dyn FnMut() -> bool,
) -> Result<bool, VmError> {
    let Some((region, local)) = pieces.next() else { return Ok(allowed()) };
    let length = usize::try_from(local.length()).unwrap_or(usize::MAX);
    let (mine, others) = source.split_at_checked(length).ok_or(local.invalid())?;
    region.bytes.write(local, |bytes| {
        let is_allowed = write(pieces, others, allowed)?;
        if is_allowed {
            bytes.copy_from_slice(mine);
        }
        Ok(is_allowed)
    })?
}

/// Copies `source`, which has exactly their bytes, into the pieces, if what these hold is what is expected. That is put
/// into `found` behind so many bytes of pieces before, and looked at while all of their locks are held.
fn exchange<'a>(
    pieces: &mut dyn Iterator<Item = Piece<'a>>,
    source: &[u8],
    found: &mut [u8; 8],
    before: usize,
    is_expected: &mut dyn FnMut(&[u8; 8]) -> bool,
) -> Result<bool, VmError> {
    let Some((region, local)) = pieces.next() else { return Ok(is_expected(found)) };
    let length = usize::try_from(local.length()).unwrap_or(usize::MAX);
    let (mine, others) = source.split_at_checked(length).ok_or(local.invalid())?;
    region.bytes.write(local, |bytes| {
        found.get_mut(before..before + length).ok_or(local.invalid())?.copy_from_slice(bytes);
        let is_stored = exchange(pieces, others, found, before + length, is_expected)?;
        if is_stored {
            bytes.copy_from_slice(mine);
        }
        Ok(is_stored)
    })?
}

impl Memory for RegionMemory {
    fn load(&self, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        let mut bytes = [0; 8];
        self.load_bulk(pa, &mut bytes[..usize::from(size.bytes())])?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn store(&self, pa: GuestPhysAddr, value: u64, size: AccessSize) -> Result<(), VmError> {
        self.store_bulk(pa, &value.to_le_bytes()[..usize::from(size.bytes())])
    }

    fn load_reserved(&self, owner: OwnerIndex, pa: GuestPhysAddr, size: AccessSize) -> Result<u64, VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        self.pieces(range).map(|_pieces| ())?;
        // All that the lines have, not the bytes alone: see the argument in `reservations`.
        let lines = Lines::of(range).map_or(range, |lines| lines.bytes_below(u64::MAX));
        let locked = self.memory_round(range, lines);
        let mut bytes = [0; 2 * Lines::BYTES];
        let length = usize::try_from(locked.length()).unwrap_or(usize::MAX);
        let bytes = bytes.get_mut(..length).ok_or(range.invalid())?;
        read(&mut self.pieces(locked)?, bytes, &mut || self.reservations.reserve(owner, pa, size))?;
        let offset = usize::try_from(range.start() - locked.start()).unwrap_or(usize::MAX);
        Ok(bytes.get(offset..).map_or(0, |scalar| size.load(scalar)))
    }

    fn store_conditional(
        &self,
        owner: OwnerIndex,
        pa: GuestPhysAddr,
        value: u64,
        size: AccessSize,
    ) -> Result<bool, VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        let source = &value.to_le_bytes()[..usize::from(size.bytes())];
        write(&mut self.pieces(range)?, source, &mut || {
            self.reservations.store_if_live(owner, pa, size, Lines::of(range), || self.mark(range))
        })
    }

    fn compare_exchange(
        &self,
        pa: GuestPhysAddr,
        expected: u64,
        value: u64,
        size: AccessSize,
    ) -> Result<Exchanged, VmError> {
        let range = GuestRange::of_scalar(pa, size)?;
        let source = &value.to_le_bytes()[..usize::from(size.bytes())];
        let mut found = [0; 8];
        let is_stored = exchange(&mut self.pieces(range)?, source, &mut found, 0, &mut |found| {
            let is_expected = u64::from_le_bytes(*found) == size.truncate(expected);
            if is_expected {
                self.reservations.kill(Lines::of(range));
                self.mark(range);
            }
            is_expected
        })?;
        let before = u64::from_le_bytes(found);
        Ok(if is_stored { Ok(before) } else { Err(before) })
    }

    fn invalidate_reservation(&self, pa: GuestPhysAddr, size: u8) {
        self.reservations.kill(Lines::spanning(pa, u64::from(size)));
    }

    fn load_bulk(&self, pa: GuestPhysAddr, buffer: &mut [u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, buffer)?;
        read(&mut self.pieces(range)?, buffer, &mut || ())
    }

    fn store_bulk(&self, pa: GuestPhysAddr, source: &[u8]) -> Result<(), VmError> {
        let range = GuestRange::of_slice(pa, source)?;
        let kill = &mut || {
            self.reservations.kill(Lines::of(range));
            self.mark(range);
            true
        };
        write(&mut self.pieces(range)?, source, kill).map(|_is_stored| ())
    }

    fn size(&self) -> u64 {
        self.regions.iter().map(|region| region.bytes.size()).sum()
    }

    fn dump(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.size()).unwrap_or(0)];
        match read(&mut self.all(), &mut bytes, &mut || ()) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }

    fn restore(&self, source: &[u8]) -> Result<(), String> {
        if source.len() as u64 != self.size() {
            return Err(format!("cannot restore {} bytes into a memory of {} bytes", source.len(), self.size()));
        }
        let kill = &mut || {
            self.reservations.kill_all();
            self.ranges().for_each(|range| self.mark(range));
            true
        };
        write(&mut self.all(), source, kill).map(|_is_stored| ()).map_err(|error| error.to_string())
    }

    fn dirty_log(&self) -> Option<&DirtyLog> {
        self.dirty.as_ref()
    }
}
