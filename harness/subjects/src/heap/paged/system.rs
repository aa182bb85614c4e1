//! The system beneath a malloc: one reserved range of the host in chunks, which are mapped, unmapped and advised about,
//! and which the setup's fault plan refuses. Mapped chunks hold zeros. It knows no block.

use memtwin_heap::errno;
use memtwin_models::Unsupported;
use memtwin_models::heap::{Fault, Request, Setup};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The bytes of a chunk. The range begins at a multiple of it.
pub(super) const CHUNK_BYTES: usize = 64 << 10;
/// The chunks of the range.
pub(super) const CHUNKS: usize = 2048;
/// Inaccessible memory behind the range, in bytes.
const GUARD_BYTES: usize = CHUNK_BYTES;

/// The chunks.
#[derive(Debug)]
pub(in crate::heap) struct System {
    mapping: NonNull<c_void>,
    base: *mut u8,
    is_mapped: Box<[bool; CHUNKS]>,
    /// No chunk from this one on has been mapped since the reset.
    end: usize,
    mapped: usize,
    fault: Option<Fault>,
    /// How many requests of the kind that the plan speaks of were made.
    requests: u32,
    has_refused: bool,
}

// SAFETY: the range is memory of the process, and whoever has the `System` is alone with it.
unsafe impl Send for System {}

impl System {
    pub(super) fn new(setup: &Setup) -> Result<Self, Unsupported> {
        let refused = Unsupported("the host refuses the address space for a malloc");
        let length = NonZeroUsize::new(Self::reserved_bytes()).ok_or(refused)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no memory in use.
        let mapping = unsafe { mmap_anonymous(None, length, access, flags) }.map_err(|_| refused)?;
        let start = mapping.cast::<u8>().as_ptr();
        let base = start.wrapping_add(start.align_offset(CHUNK_BYTES));
        let guard = NonNull::new(base.wrapping_add(CHUNKS * CHUNK_BYTES)).ok_or(refused)?;
        // SAFETY: the chunk behind the range is the mapping's own, and nobody uses it.
        unsafe { mprotect(guard.cast(), GUARD_BYTES, ProtFlags::PROT_NONE) }.map_err(|_| refused)?;
        let mut system = System {
            mapping,
            base,
            is_mapped: Box::new([false; CHUNKS]),
            end: 0,
            mapped: 0,
            fault: None,
            requests: 0,
            has_refused: false,
        };
        system.reset(setup);
        Ok(system)
    }

    const fn reserved_bytes() -> usize {
        (CHUNKS + 1) * CHUNK_BYTES + GUARD_BYTES
    }

    /// Everything is unmapped; the plan begins anew.
    pub(super) fn reset(&mut self, setup: &Setup) {
        self.is_mapped[..self.end].fill(false);
        self.end = 0;
        (self.mapped, self.fault, self.requests, self.has_refused) = (0, setup.fault, 0, false);
    }

    /// Whether the plan refuses the next such request; then `errno` is ENOMEM.
    fn refuses(&mut self, request: Request) -> bool {
        let Some(fault) = self.fault.filter(|fault| fault.request == request) else { return false };
        let number = self.requests;
        self.requests += 1;
        let refuses = fault.refused().contains(&number);
        if refuses {
            self.refuse();
        }
        refuses
    }

    fn refuse(&mut self) {
        self.has_refused = true;
        errno::set(libc::ENOMEM);
    }

    /// So many chunks in a row, the lowest that there are: the number of the first.
    pub(super) fn map(&mut self, chunks: usize) -> Option<usize> {
        if self.refuses(Request::Map) {
            return None;
        }
        let mut from = 0;
        while from + chunks <= CHUNKS {
            match self.is_mapped[from..from + chunks].iter().rposition(|mapped| *mapped) {
                Some(taken) => from += taken + 1,
                None => {
                    self.is_mapped[from..from + chunks].fill(true);
                    self.mapped += chunks;
                    self.end = self.end.max(from + chunks);
                    return Some(from);
                }
            }
        }
        self.refuse();
        None
    }

    /// Takes chunks back; whether the system did.
    pub(super) fn unmap(&mut self, from: usize, chunks: usize) -> bool {
        if self.refuses(Request::Unmap) {
            return false;
        }
        self.is_mapped[from..from + chunks].fill(false);
        self.mapped -= chunks;
        true
    }

    /// No chunk from this one on has been mapped since the reset.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The address of a chunk.
    pub(super) fn address(&self, chunk: usize) -> *mut u8 {
        self.base.wrapping_add(chunk * CHUNK_BYTES)
    }

    /// The chunk that an address lies in, if it is one of the range.
    pub(in crate::heap) fn chunk_of(&self, address: *mut u8) -> Option<usize> {
        let distance = (address as usize).checked_sub(self.base as usize)?;
        Some(distance / CHUNK_BYTES).filter(|chunk| *chunk < CHUNKS)
    }

    /// The bytes that are mapped.
    pub(super) fn mapped_bytes(&self) -> u64 {
        (self.mapped * CHUNK_BYTES) as u64
    }

    /// Whether it has refused something since it was asked last.
    pub(super) fn take_refusal(&mut self) -> bool {
        std::mem::take(&mut self.has_refused)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // SAFETY: the mapping is this system's alone, and no block outlives it.
        let _ = unsafe { munmap(self.mapping, Self::reserved_bytes()) };
    }
}
