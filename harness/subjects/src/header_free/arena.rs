//! The host memory behind the simulated address space: a reserved range whose pages have the protections that the page map
//! says, so that a bad access is a real fault. Refused is any check that would prevent it.

use super::layout::ARENA_END;
use memtwin_models::Unsupported;
use memtwin_models::header_free::Protection;
use memtwin_wild as wild;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::arch::asm;
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The range begins at a multiple of this, with as much inaccessible memory on either side, in bytes.
const GUARD_BYTES: usize = 4 << 20;
#[allow(clippy::cast_possible_truncation)] // 128 MiB
const ARENA_BYTES: usize = ARENA_END as usize;
const RESERVED_BYTES: usize = ARENA_BYTES + 3 * GUARD_BYTES;

/// The reserved range.
#[derive(Debug)]
pub(super) struct Arena {
    reservation: NonNull<c_void>,
    /// The host address of simulated address 0.
    base: NonNull<u8>,
}

impl Arena {
    pub(super) fn new() -> Result<Self, Unsupported> {
        let refused = Unsupported("the host refuses the address space for the arena");
        let length = NonZeroUsize::new(RESERVED_BYTES).ok_or(refused)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no memory in use.
        let reservation = unsafe { mmap_anonymous(None, length, ProtFlags::PROT_NONE, flags) }.map_err(|_| refused)?;
        let offset = GUARD_BYTES + reservation.cast::<u8>().align_offset(GUARD_BYTES);
        // SAFETY: the reservation has room for a guard, the alignment, the arena and another guard.
        let base = unsafe { reservation.cast::<u8>().add(offset) };
        wild::register_arena(base.as_ptr() as u64, ARENA_END);
        Ok(Arena { reservation, base })
    }

    /// The host address of a simulated address below [`ARENA_END`].
    #[inline]
    pub(super) fn host(&self, address: u64) -> NonNull<u8> {
        assert!(address < ARENA_END, "{address:#x} is not within the arena");
        #[allow(clippy::cast_possible_truncation)] // x86-64
        let offset = address as usize;
        // SAFETY: the offset lies within the arena, which is one reservation.
        unsafe { self.base.add(offset) }
    }

    /// The simulated address of an address of this process.
    pub(super) fn simulated(&self, pointer: *const u8) -> Option<u64> {
        let offset = (pointer as u64).checked_sub(self.base.as_ptr() as u64)?;
        (offset < ARENA_END).then_some(offset)
    }

    /// Gives whole pages a protection; they keep what they hold.
    pub(super) fn protect(&self, start: u64, end: u64, protection: Protection) {
        if end <= start {
            return;
        }
        assert!(end <= ARENA_END, "{end:#x} is beyond the arena");
        let flags = match protection {
            Protection::None => ProtFlags::PROT_NONE,
            Protection::Read => ProtFlags::PROT_READ,
            Protection::ReadWrite => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        };
        #[allow(clippy::cast_possible_truncation)] // at most 128 MiB
        let length = (end - start) as usize;
        // SAFETY: the pages are this reservation's; the only accesses to them go through this arena.
        let changed = unsafe { mprotect(self.host(start).cast(), length, flags) };
        assert!(changed.is_ok(), "mprotect of {length:#x} bytes of the arena: {changed:?}");
    }

    /// The bytes of readable pages.
    #[inline]
    pub(super) fn bytes(&self, address: u64, length: usize) -> &[u8] {
        assert!(address + length as u64 <= ARENA_END, "{address:#x} and {length:#x} bytes are beyond the arena");
        if length == 0 {
            return &[];
        }
        // SAFETY: the caller names readable pages only; they live as long as the arena, no writer has them while the arena
        // is borrowed, and anonymous memory is initialised.
        unsafe { NonNull::slice_from_raw_parts(self.host(address), length).as_ref() }
    }

    /// The bytes of readable and writable pages.
    #[inline]
    pub(super) fn bytes_mut(&mut self, address: u64, length: usize) -> &mut [u8] {
        assert!(address + length as u64 <= ARENA_END, "{address:#x} and {length:#x} bytes are beyond the arena");
        if length == 0 {
            return &mut [];
        }
        // SAFETY: as above, the pages are writable too, and the arena is borrowed mutably.
        unsafe { NonNull::slice_from_raw_parts(self.host(address), length).as_mut() }
    }

    /// Loads a byte, wherever that is: where nothing is readable, the load faults.
    pub(super) fn load_wild(&self, address: u64) -> u8 {
        if ARENA_END <= address {
            return wild::read_byte(address);
        }
        let host = self.host(address).as_ptr();
        let byte: u8;
        // SAFETY: deliberately not that the page is readable: where it is not, the instruction raises SIGSEGV and the
        // worker dies. The address lies in the reservation, so no other memory is read.
        unsafe {
            asm!("mov {byte}, byte ptr [{host}]", byte = out(reg_byte) byte, host = in(reg) host,
                options(nostack, readonly, preserves_flags));
        }
        byte
    }

    /// Stores a byte, wherever that is: where nothing is writable, the store faults.
    pub(super) fn store_wild(&mut self, address: u64, byte: u8) {
        if ARENA_END <= address {
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
