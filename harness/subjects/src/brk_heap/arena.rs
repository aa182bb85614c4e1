//! The host memory behind the simulated process: a reserved range of the size of the guest's address space, of which only
//! mapped guest pages are accessible. A wild guest pointer is a real fault; refused is any check that would prevent it.

use memtwin_models::Unsupported;
use memtwin_models::brk_heap::{GUEST_END, PAGE_BYTES};
use memtwin_wild as wild;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};
use std::arch::asm;
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The range begins at a multiple of this, with as much inaccessible memory on either side, in bytes.
const GUARD_BYTES: usize = 4 << 20;
#[allow(clippy::cast_possible_truncation)] // 1 GiB
const GUEST_BYTES: usize = GUEST_END as usize;
const RESERVED_BYTES: usize = GUEST_BYTES + 3 * GUARD_BYTES;

/// The reserved range.
#[derive(Debug)]
pub(super) struct Arena {
    reservation: NonNull<c_void>,
    /// The host address of guest address 0.
    base: NonNull<u8>,
}

impl Arena {
    pub(super) fn new() -> Result<Self, Unsupported> {
        let refused = Unsupported("the host refuses the address space for a simulated process");
        let length = NonZeroUsize::new(RESERVED_BYTES).ok_or(refused)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no memory in use.
        let reservation = unsafe { mmap_anonymous(None, length, ProtFlags::PROT_NONE, flags) }.map_err(|_| refused)?;
        let offset = GUARD_BYTES + reservation.cast::<u8>().align_offset(GUARD_BYTES);
        // SAFETY: the reservation has room for a guard, the alignment, the guest and another guard.
        let base = unsafe { reservation.cast::<u8>().add(offset) };
        wild::register_arena(base.as_ptr() as u64, GUEST_END);
        Ok(Arena { reservation, base })
    }

    /// The host address of a guest address below [`GUEST_END`].
    #[inline]
    fn host(&self, address: u64) -> NonNull<u8> {
        assert!(address < GUEST_END, "{address:#x} is not within the arena");
        #[allow(clippy::cast_possible_truncation)] // x86-64
        let offset = address as usize;
        // SAFETY: the offset lies within the guest's range, which is one reservation.
        unsafe { self.base.add(offset) }
    }

    /// Where a guest address below [`GUEST_END`] is in this process: for a program that really uses the heap.
    pub(super) fn host_of(&self, address: u64) -> *mut u8 {
        self.host(address).as_ptr()
    }

    /// The guest address of an address of this process.
    pub(super) fn guest_of(&self, pointer: *const u8) -> Option<u64> {
        let offset = (pointer as u64).checked_sub(self.base.as_ptr() as u64)?;
        (offset < GUEST_END).then_some(offset)
    }

    /// Makes whole pages accessible, or inaccessible; they keep what they hold.
    pub(super) fn protect(&self, start: u64, end: u64, accessible: bool) {
        if end <= start {
            return;
        }
        assert!(end <= GUEST_END, "{end:#x} is beyond the arena");
        let protection = if accessible { ProtFlags::PROT_READ | ProtFlags::PROT_WRITE } else { ProtFlags::PROT_NONE };
        #[allow(clippy::cast_possible_truncation)] // at most 1 GiB
        let length = (end - start) as usize;
        // SAFETY: the pages are this reservation's; the only accesses to them go through this arena.
        let changed = unsafe { mprotect(self.host(start).cast(), length, protection) };
        assert!(changed.is_ok(), "mprotect of {length:#x} bytes of the arena: {changed:?}");
    }

    /// Lets an inaccessible page hold zeros again.
    pub(super) fn discard_page(&self, start: u64) {
        #[allow(clippy::cast_possible_truncation)] // 4096
        let length = PAGE_BYTES as usize;
        // SAFETY: the page is this reservation's, private and anonymous: it reads as zeros from here on.
        let discarded = unsafe { madvise(self.host(start).cast(), length, MmapAdvise::MADV_DONTNEED) };
        assert!(discarded.is_ok(), "madvise of a page of the arena: {discarded:?}");
    }

    /// The bytes of mapped pages.
    #[inline]
    pub(super) fn bytes(&self, address: u64, length: usize) -> &[u8] {
        let end = address + length as u64;
        assert!(end <= GUEST_END, "{end:#x} is beyond the arena");
        if length == 0 {
            return &[];
        }
        // SAFETY: the caller names mapped pages only, which are readable; they live as long as the arena, no writer has
        // them while the arena is borrowed, and anonymous memory is initialised.
        unsafe { NonNull::slice_from_raw_parts(self.host(address), length).as_ref() }
    }

    /// The bytes of mapped pages.
    #[inline]
    pub(super) fn bytes_mut(&mut self, address: u64, length: usize) -> &mut [u8] {
        let end = address + length as u64;
        assert!(end <= GUEST_END, "{end:#x} is beyond the arena");
        if length == 0 {
            return &mut [];
        }
        // SAFETY: as above, and the arena is borrowed mutably.
        unsafe { NonNull::slice_from_raw_parts(self.host(address), length).as_mut() }
    }

    /// Copies between mapped pages; the ranges may overlap.
    pub(super) fn copy(&mut self, from: u64, to: u64, length: u64) {
        let end = from.max(to).saturating_add(length);
        assert!(end <= GUEST_END, "{end:#x} is beyond the arena");
        #[allow(clippy::cast_possible_truncation)] // at most 1 GiB
        let bytes = length as usize;
        // SAFETY: the caller names mapped pages only, readable and writable; `copy_from` allows an overlap; nobody else
        // has the bytes, because the arena is borrowed mutably.
        unsafe { self.host(to).copy_from(self.host(from), bytes) };
    }

    /// Loads a byte of the guest, wherever that is: where nothing is mapped, the load faults.
    pub(super) fn load_wild(&self, address: u64) -> u8 {
        if GUEST_END <= address {
            return wild::read_byte(address);
        }
        let host = self.host(address).as_ptr();
        let byte: u8;
        // SAFETY: deliberately not that the page is accessible: where it is not, the instruction raises SIGSEGV and the
        // worker dies. The address lies in the reservation, so no foreign memory is read.
        unsafe {
            asm!("mov {byte}, byte ptr [{host}]", byte = out(reg_byte) byte, host = in(reg) host,
                options(nostack, readonly, preserves_flags));
        }
        byte
    }

    /// Stores a byte of the guest, wherever that is: where nothing is mapped, the store faults.
    pub(super) fn store_wild(&mut self, address: u64, byte: u8) {
        if GUEST_END <= address {
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
        // SAFETY: the reservation is this arena's alone and ends with it.
        let _ = unsafe { munmap(self.reservation, RESERVED_BYTES) };
    }
}

// SAFETY: the reservation is owned, and its memory is reached through borrows of the arena only.
unsafe impl Send for Arena {}
