//! Shared memory: what the supervisor and one worker both see. It holds the job, the journal, and what the worker
//! found. The worker writes before it acts, so that its death loses nothing. One side uses the plain parts at a time:
//! the supervisor before the fork and after the worker's end, the worker in between.

use super::job::JobRecord;
use crate::accepted::{MOST_ACCEPTED, TEXT_BYTES};
use crate::lockstep::COUNTS;
use memtwin_models::StateMap;
use memtwin_models::wire::MAX_WIRE_BYTES;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Room for an explanation's records.
pub(super) const OUTPUT_BYTES: usize = 16 << 20;
/// Room for kept traces.
pub(crate) const KEPT_BYTES: usize = 16 << 20;
/// Room for choices of the guided engine: one for each group of 64 traces, and for each kept trace.
const MOST_CHOICES: usize = 1 << 14;
/// Frames of a fault that are kept.
pub(super) const MAX_FRAMES: usize = 64;

/// A text of bounded length.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Text<const N: usize> {
    length: u32,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    pub(super) fn set(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        let length = text.len().min(N);
        self.bytes[..length].copy_from_slice(&text[..length]);
        #[allow(clippy::cast_possible_truncation)] // N is small
        {
            self.length = length as u32;
        }
    }

    pub(super) fn get(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..(self.length as usize).min(N)]).into_owned()
    }
}

/// Numbers, in the order in which they came. Those that there is no room for are lost.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Numbers<const N: usize> {
    length: AtomicU32,
    numbers: [u32; N],
}

impl<const N: usize> Numbers<N> {
    pub(super) fn clear(&mut self) {
        self.length.store(0, Ordering::Relaxed);
    }

    /// Adds a number: it is there whole before the length says so.
    pub(super) fn push(&mut self, number: u32) {
        let length = self.length.load(Ordering::Relaxed);
        if let Some(room) = self.numbers.get_mut(length as usize) {
            *room = number;
            self.length.store(length + 1, Ordering::Release);
        }
    }

    pub(super) fn get(&self) -> &[u32] {
        &self.numbers[..(self.length.load(Ordering::Acquire) as usize).min(N)]
    }
}

/// What the guided engine of a worker made of what its subject showed: with these numbers its traces can be made again.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Choices {
    /// How many kept traces it began with.
    pub kept_before: u32,
    /// The parents of its groups of mutants, by their numbers among the kept traces.
    pub parents: Numbers<MOST_CHOICES>,
    /// The traces that it kept, by their distances from the first of the batch.
    pub kept: Numbers<MOST_CHOICES>,
}

/// What the signal handler writes.
#[derive(Debug)]
#[repr(C)]
pub(super) struct FaultRecord {
    /// The signal, written last; 0 while there is none.
    pub signal: AtomicU32,
    /// `si_code`.
    pub code: i32,
    pub address: u64,
    /// The instruction that faulted; 0 where there is none.
    pub instruction: u64,
    pub is_stack_overflow: u32,
    /// Whether neither this process nor its zygote sent the signal, nor an instruction caused it.
    pub is_from_elsewhere: u32,
    pub frame_count: AtomicU32,
    pub frames: [u64; MAX_FRAMES],
    /// The shared library that the process had loaded, if it had; and where.
    pub library: Text<TEXT_BYTES>,
    pub library_start: u64,
    pub library_end: u64,
}

/// The shared memory.
#[repr(C)]
pub(super) struct Shared {
    pub job: JobRecord,
    /// The broken laws that runs go on behind.
    pub accepted: Text<TEXT_BYTES>,
    // The journal.
    pub trace: AtomicU64,
    pub step: AtomicU32,
    pub ops: AtomicU64,
    pub traces: AtomicU64,
    pub moot: AtomicU64,
    pub unsupported: AtomicU64,
    pub rebuilt: AtomicU64,
    /// How often each of the accepted signatures was met.
    pub accepted_steps: [u64; MOST_ACCEPTED],
    /// Those that the one trace of a replay met, a bit each.
    pub met: AtomicU32,
    /// Ops that were skipped in the one trace of a replay.
    pub skipped: AtomicU64,
    pub wire_length: AtomicU32,
    /// Set by the zygote: the worker has come to hold much memory.
    pub is_large: AtomicU32,
    // How it ended.
    pub report: AtomicU32,
    pub law: Text<64>,
    pub field: Text<64>,
    pub has_place: u32,
    pub law_place: u64,
    pub message: Text<1024>,
    pub fault: FaultRecord,
    /// The last system call that was refused and answered, plus one; 0 where there was none.
    pub refused_call: AtomicU32,
    pub output_length: AtomicU32,
    pub counts: [u64; COUNTS],
    pub features: [u8; StateMap::SIZE],
    /// The kept traces: those of the campaign so far, then what this epoch adds. Written whole before the length says
    /// so.
    pub kept_length: AtomicU32,
    pub kept: [u8; KEPT_BYTES],
    pub choices: Choices,
    pub wire: [u8; MAX_WIRE_BYTES],
    pub output: [u8; OUTPUT_BYTES],
}

impl Shared {
    /// The wire bytes of the trace that is run.
    pub(super) fn set_wire(&mut self, wire: &[u8]) {
        self.wire[..wire.len()].copy_from_slice(wire);
        #[allow(clippy::cast_possible_truncation)] // at most MAX_WIRE_BYTES
        self.wire_length.store(wire.len() as u32, Ordering::Release);
    }

    /// The wire bytes on record. A subject may have written over the length.
    pub(super) fn wire(&self) -> &[u8] {
        let length = self.wire_length.load(Ordering::Acquire) as usize;
        &self.wire[..length.min(MAX_WIRE_BYTES)]
    }
}

/// A mapping of the shared memory, kept for the life of the process.
#[derive(Debug)]
pub(super) struct SharedMemory {
    memory: OwnedFd,
    shared: NonNull<Shared>,
}

// SAFETY: the shared is shared memory; a `SharedMemory` is used by one thread at a time, and what another process
// writes meanwhile is read through atomics.
unsafe impl Send for SharedMemory {}

impl SharedMemory {
    /// New shared memory, all zero; pages are made when they are touched.
    pub(super) fn create() -> io::Result<Self> {
        let memory = memfd_create(c"memtwin-shared", MFdFlags::MFD_CLOEXEC)?;
        nix::unistd::ftruncate(&memory, i64::try_from(size_of::<Shared>()).map_err(io::Error::other)?)?;
        Self::map(memory)
    }

    /// The shared behind a descriptor from [`SharedMemory::create`].
    pub(super) fn map(memory: OwnedFd) -> io::Result<Self> {
        let length = NonZeroUsize::new(size_of::<Shared>()).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh mapping of a file that is as long as the shared; nothing else is replaced.
        let address = unsafe {
            mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, &memory, 0)
        }?;
        Ok(SharedMemory { memory, shared: address.cast() })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    pub(super) fn get(&self) -> &Shared {
        // SAFETY: the mapping lives until the process ends, is aligned to a page and as long as the shared; every bit
        // pattern is a valid shared; the worker is the only other user, and only atomics are read while it runs.
        unsafe { self.shared.as_ref() }
    }

    pub(super) fn get_mut(&mut self) -> &mut Shared {
        // SAFETY: as above, and `&mut self` excludes other users in this process; the worker either is this process or
        // does not run.
        unsafe { self.shared.as_mut() }
    }

    pub(super) fn as_ptr(&self) -> *mut Shared {
        self.shared.as_ptr()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and no reference outlives `self`.
        let _ = unsafe { nix::sys::mman::munmap(self.shared.cast(), size_of::<Shared>()) };
    }
}
