//! The memory that an arena is given: regions within one mapping of the host, with guard pages around it and red zones
//! around each region. It knows no allocator.

use crate::memory::first_other;
use memtwin_models::Unsupported;
use memtwin_models::heap::{ARENA_BASE, ARENA_BYTES, Setup};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::{self, NonNull};

/// The red zone on either side of a region, in bytes.
const REDZONE_BYTES: usize = 256;
/// What is looked at after every call, in bytes.
const NEAR_BYTES: usize = 32;
const REDZONE: u8 = 0xb5;
/// The mapping: the arena, and two pages on either side.
#[allow(clippy::cast_possible_truncation)] // far below 4 GiB
const MAPPED_BYTES: usize = ARENA_BYTES as usize + 4 * PAGE_BYTES;
/// The host addresses that stand for [`ARENA_BASE`] are multiples of it, from this one on.
const FIRST_PLACE: usize = 17;
/// How many of them there are: arenas that a process may have at once.
const PLACES: usize = 48;
/// A page on either side of the arena is accessible, for red zones.
const PAGE_BYTES: usize = 4096;

/// The memory of an arena.
#[derive(Debug)]
pub(crate) struct Regions {
    mapping: NonNull<c_void>,
    /// The host address of [`ARENA_BASE`].
    base: *mut u8,
    first: (usize, usize),
    second: Option<(usize, usize)>,
    has_second: bool,
}

impl Regions {
    pub(crate) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let refused = Unsupported("the host refuses the address space for an arena");
        let length = NonZeroUsize::new(MAPPED_BYTES).ok_or(refused)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE | MapFlags::MAP_FIXED_NOREPLACE;
        // Where the host has nothing: odd multiples, so that an address there is aligned as its nominal one is.
        #[allow(clippy::cast_possible_truncation)] // 2⁴⁰, and addresses have 64 bits
        let places = (0..PLACES).map(|place| (FIRST_PLACE + 2 * place) * ARENA_BASE as usize);
        let mapped = places.filter_map(|base| {
            let start = NonZeroUsize::new(base - 2 * PAGE_BYTES)?;
            // SAFETY: a new private mapping that replaces none touches no memory in use.
            unsafe { mmap_anonymous(Some(start), length, ProtFlags::PROT_NONE, flags) }.ok()
        });
        let mapping = { mapped }.next().ok_or(refused)?;
        let base = mapping.cast::<u8>().as_ptr().wrapping_add(2 * PAGE_BYTES);
        let mut regions = Regions { mapping, base, first: (0, 0), second: None, has_second: false };
        regions.open()?;
        regions.reset(setup);
        Ok(regions)
    }

    /// Makes the arena accessible; what lies around it is not.
    fn open(&self) -> Result<(), Unsupported> {
        let refused = |_| Unsupported("the host refuses the memory for an arena");
        let front = self.base.wrapping_sub(PAGE_BYTES).cast::<c_void>();
        let front = NonNull::new(front).ok_or(Unsupported("an arena at address 0"))?;
        let bytes = 2 * PAGE_BYTES + usize::try_from(ARENA_BYTES).unwrap_or(0);
        // SAFETY: these pages are the mapping's own.
        unsafe { mprotect(front, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE) }.map_err(refused)
    }

    /// The regions of a setup at the start of a trace, as if nobody had touched them.
    pub(crate) fn reset(&mut self, setup: &Setup) {
        let distance = |address: u64| usize::try_from(address - ARENA_BASE).unwrap_or(0);
        let start = distance(setup.first_start());
        self.first = (start, start + setup.first_bytes as usize);
        self.second = setup.second_range().map(|(start, end)| (distance(start), distance(end)));
        self.has_second = false;
        let last = self.second.map_or(distance(setup.first_limit()), |(_, end)| end);
        self.paint(start as isize - REDZONE_BYTES as isize, start, REDZONE);
        self.paint(start as isize, self.first.1, setup.memory_holds.byte());
        // What is not the arena's yet is a red zone, too.
        let far = if self.second.is_some() { last + REDZONE_BYTES } else { self.first.1 + REDZONE_BYTES };
        self.paint(self.first.1 as isize, far, REDZONE);
    }

    fn at(&self, offset: isize) -> *mut u8 {
        self.base.wrapping_offset(offset)
    }

    fn paint(&self, from: isize, to: usize, byte: u8) {
        let length = usize::try_from(to as isize - from).unwrap_or(0);
        // SAFETY: all ranges that are painted lie within the accessible part of the mapping.
        unsafe { ptr::write_bytes(self.at(from), byte, length) };
    }

    /// The first region: its start and its size in bytes.
    pub(crate) fn first(&self) -> (*mut u8, usize) {
        (self.at(self.first.0 as isize), self.first.1 - self.first.0)
    }

    /// The first region has so many bytes more, if the setup has room for them.
    pub(crate) fn extend(&mut self, setup: &Setup, bytes: usize) -> bool {
        let limit = usize::try_from(setup.first_limit() - ARENA_BASE).unwrap_or(0);
        let end = self.first.1 + bytes;
        if limit < end {
            return false;
        }
        self.paint(self.first.1 as isize, end, setup.memory_holds.byte());
        let border = self.second.map_or(usize::MAX, |(start, _)| start);
        self.paint(end as isize, (end + REDZONE_BYTES).min(border), REDZONE);
        self.first.1 = end;
        true
    }

    /// The second region, which is the arena's from now on; its start and its size in bytes.
    pub(crate) fn add_second(&mut self, setup: &Setup) -> Option<(*mut u8, usize)> {
        let (start, end) = self.second.filter(|_| !self.has_second)?;
        self.has_second = true;
        self.paint(start as isize, end, setup.memory_holds.byte());
        Some((self.at(start as isize), end - start))
    }

    /// The address that the model is told.
    pub(crate) fn nominal(&self, block: *mut u8) -> u64 {
        ARENA_BASE.wrapping_add((block as u64).wrapping_sub(self.base as u64))
    }

    /// Whether so many bytes lie in one region.
    pub(crate) fn hold(&self, block: *mut u8, bytes: usize) -> bool {
        let offset = (block as usize).wrapping_sub(self.base as usize);
        let within =
            |(low, high): (usize, usize)| low <= offset && offset.checked_add(bytes).is_some_and(|end| end <= high);
        within(self.first) || self.second.is_some_and(|second| self.has_second && within(second))
    }

    /// The nominal address of the first byte of a red zone that changed.
    pub(crate) fn stray_byte(&self, everywhere: bool) -> Option<u64> {
        let reach = if everywhere { REDZONE_BYTES } else { NEAR_BYTES };
        let (start, end) = self.first;
        // Behind the first region lies what `extend` may add, or the gap; it may be shorter than a red zone.
        let border = self.second.map_or(usize::MAX, |(start, _)| start);
        let behind = (end, (end + reach).min(border));
        let mut zones = [None; 4];
        zones[0] = Some((start as isize - reach as isize, start));
        zones[1] = Some((behind.0 as isize, behind.1));
        if let Some((low, high)) = self.second {
            // Before it is there the whole region is a red zone; its beginning is looked at.
            let low_end = if self.has_second { low } else { (low + reach).min(high) };
            zones[2] = Some(((low.saturating_sub(reach)).max(end) as isize, low_end));
            zones[3] = Some((high as isize, high + reach));
        }
        zones.into_iter().flatten().find_map(|(low, high)| {
            let length = usize::try_from(high as isize - low).unwrap_or(0);
            // SAFETY: red zones lie within the accessible part of the mapping.
            let offset = unsafe { first_other(self.at(low), length, REDZONE) }?;
            Some(ARENA_BASE.wrapping_add_signed(low as i64).wrapping_add(offset as u64))
        })
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        // SAFETY: the mapping is this arena's alone, and no block outlives its arena.
        let _ = unsafe { munmap(self.mapping, MAPPED_BYTES) };
    }
}
