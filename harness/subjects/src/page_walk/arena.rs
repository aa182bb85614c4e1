//! The host memory behind the backings: one reserved range without access, of which only the backings' pages are
//! accessible, each ending right before an inaccessible page. A byte too many is a real fault; refused is any check that
//! would prevent it. What a backing leaves of its first page is slack: accessible, nobody's, and full of one byte.

use memtwin_models::Unsupported;
use memtwin_models::page_walk::{Backing, HOST_SLOT_BYTES, PAGE_BYTES, Setup};
use memtwin_wild as wild;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::arch::asm;
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The range begins at a multiple of this, with as much inaccessible memory on either side, in bytes.
const GUARD_BYTES: usize = 4 << 20;
const ARENA_BYTES: u64 = Backing::COUNT as u64 * HOST_SLOT_BYTES;
#[allow(clippy::cast_possible_truncation)] // 5 MiB
const RESERVED_BYTES: usize = ARENA_BYTES as usize + 3 * GUARD_BYTES;

/// What slack holds: no byte that a cleared scratch holds, so that a read of it shows as well.
const SLACK: u8 = 0xb5;

/// The reserved range. Addresses are simulated: distances from its base.
#[derive(Debug)]
pub(super) struct Arena {
    reservation: NonNull<c_void>,
    base: NonNull<u8>,
    /// The accessible pages, as (start, end).
    accessible: [(u64, u64); Backing::COUNT],
    /// The slack before each backing, as (start, end).
    slack: [(u64, u64); Backing::COUNT],
}

impl Arena {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let refused = Unsupported("the host refuses the address space for the backings");
        let length = NonZeroUsize::new(RESERVED_BYTES).ok_or(refused)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no memory in use.
        let reservation = unsafe { mmap_anonymous(None, length, ProtFlags::PROT_NONE, flags) }.map_err(|_| refused)?;
        let offset = GUARD_BYTES + reservation.cast::<u8>().align_offset(GUARD_BYTES);
        // SAFETY: the reservation has room for a guard, the alignment, the arena and another guard.
        let base = unsafe { reservation.cast::<u8>().add(offset) };
        wild::register_arena(base.as_ptr() as u64, ARENA_BYTES);
        let none = [(0, 0); Backing::COUNT];
        let mut arena = Arena { reservation, base, accessible: none, slack: none };
        for index in 0..=u8::try_from(setup.mapped.len()).unwrap_or(u8::MAX).saturating_add(1) {
            let backing = Backing::new_folded(index);
            let Some((first, end)) = setup.host_range(backing) else { continue };
            let start = first & !(PAGE_BYTES - 1);
            let end = end.next_multiple_of(PAGE_BYTES);
            arena.open(start, end);
            arena.accessible[backing.index()] = (start, end);
            // What lies before an adjacent mapping is the snapshot's.
            if !(setup.adjacent && backing == Backing::Mapped(0)) {
                arena.slack[backing.index()] = (start, first);
            }
        }
        arena.fill_slack();
        Ok(arena)
    }

    fn open(&self, start: u64, end: u64) {
        #[allow(clippy::cast_possible_truncation)] // below 5 MiB
        let length = (end - start) as usize;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the pages are this reservation's; the only accesses to them go through this arena.
        let changed = unsafe { mprotect(self.host(start).cast(), length, protection) };
        assert!(changed.is_ok(), "mprotect of {length:#x} bytes of the arena: {changed:?}");
    }

    #[inline]
    fn host(&self, address: u64) -> NonNull<u8> {
        assert!(address < ARENA_BYTES, "{address:#x} is not within the arena");
        #[allow(clippy::cast_possible_truncation)] // x86-64
        let offset = address as usize;
        // SAFETY: the offset lies within the arena, which is part of one reservation.
        unsafe { self.base.add(offset) }
    }

    #[inline]
    fn is_accessible(&self, address: u64, length: u64) -> bool {
        let Some(end) = address.checked_add(length) else { return false };
        self.accessible.iter().any(|(low, high)| *low <= address && end <= *high)
    }

    /// The bytes of a range, if all of it is accessible.
    #[inline]
    pub(super) fn bytes(&self, address: u64, length: u64) -> Option<&[u8]> {
        if !self.is_accessible(address, length) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)] // below 5 MiB
        let slice = NonNull::slice_from_raw_parts(self.host(address), length as usize);
        // SAFETY: accessible pages are readable for as long as the arena lives, anonymous memory is initialised, and no
        // writer has them while the arena is borrowed.
        Some(unsafe { slice.as_ref() })
    }

    /// The bytes of a range, if all of it is accessible.
    #[inline]
    fn bytes_mut(&mut self, address: u64, length: u64) -> Option<&mut [u8]> {
        if !self.is_accessible(address, length) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)] // below 5 MiB
        let mut slice = NonNull::slice_from_raw_parts(self.host(address), length as usize);
        // SAFETY: as above, and the arena is borrowed mutably.
        Some(unsafe { slice.as_mut() })
    }

    /// Appends the bytes of a range to a list, wherever that is: the first inaccessible byte faults.
    pub(super) fn read(&self, address: u64, length: u64, data: &mut Vec<u8>) {
        match self.bytes(address, length) {
            Some(bytes) => data.extend_from_slice(bytes),
            None => (0..length).for_each(|offset| data.push(self.load(address.wrapping_add(offset)))),
        }
    }

    /// Writes to a range, wherever that is: the first inaccessible byte faults.
    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) {
        match self.bytes_mut(address, bytes.len() as u64) {
            Some(target) => target.copy_from_slice(bytes),
            None => {
                for (offset, byte) in (0..).zip(bytes) {
                    self.store(address.wrapping_add(offset), *byte);
                }
            }
        }
    }

    /// Fills a range, wherever that is.
    pub(super) fn fill(&mut self, address: u64, length: u64, byte: u8) {
        match self.bytes_mut(address, length) {
            Some(target) => target.fill(byte),
            None => (0..length).for_each(|offset| self.store(address.wrapping_add(offset), byte)),
        }
    }

    /// Makes slack as it was at first.
    pub(super) fn fill_slack(&mut self) {
        for (start, end) in self.slack {
            self.fill(start, end - start, SLACK);
        }
    }

    /// The last byte of slack that is not as it was at first, with its backing's index, as the distance to the backing.
    pub(super) fn changed_slack(&self) -> Option<(usize, u64)> {
        self.slack.iter().enumerate().find_map(|(index, (start, end))| {
            let changed = self.bytes(*start, end - start)?.iter().rposition(|byte| *byte != SLACK)?;
            Some((index, end - start - changed as u64))
        })
    }

    /// A word of eight bytes.
    #[inline]
    pub(super) fn word(&self, address: u64) -> u64 {
        match self.bytes(address, 8).and_then(|bytes| bytes.first_chunk::<8>()) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => u64::from_le_bytes(std::array::from_fn(|offset| self.load(address.wrapping_add(offset as u64)))),
        }
    }

    /// Reads a byte of every page of a range, and its last byte: a range that leaves its backing faults at the first byte
    /// beyond, because that is the first of a page.
    pub(super) fn touch(&self, address: u64, length: u64) {
        if length == 0 || self.bytes(address, length).is_some() {
            return;
        }
        let last = address.wrapping_add(length - 1);
        let mut position = address;
        while position < last {
            std::hint::black_box(self.load(position));
            position = (position | (PAGE_BYTES - 1)).wrapping_add(1);
        }
        std::hint::black_box(self.load(last));
    }

    fn load(&self, address: u64) -> u8 {
        if ARENA_BYTES <= address {
            return wild::read_byte(address);
        }
        let host = self.host(address).as_ptr();
        let byte: u8;
        // SAFETY: deliberately not that the byte is accessible: where it is not, the instruction raises SIGSEGV and the
        // worker dies. The address lies in the reservation, so no foreign memory is read.
        unsafe {
            asm!("mov {byte}, byte ptr [{host}]", byte = out(reg_byte) byte, host = in(reg) host,
                options(nostack, readonly, preserves_flags));
        }
        byte
    }

    fn store(&mut self, address: u64, byte: u8) {
        if ARENA_BYTES <= address {
            return wild::write_byte(address, byte);
        }
        let host = self.host(address).as_ptr();
        // SAFETY: as for the load; the arena is borrowed mutably, so nobody else has the byte.
        unsafe {
            asm!("mov byte ptr [{host}], {byte}", byte = in(reg_byte) byte, host = in(reg) host,
                options(nostack, preserves_flags));
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the reservation is this arena's and no borrow of it is left.
        let unmapped = unsafe { munmap(self.reservation, RESERVED_BYTES) };
        debug_assert!(unmapped.is_ok(), "munmap of an arena: {unmapped:?}");
    }
}
