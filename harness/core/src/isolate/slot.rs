//! The slot: memory that the supervisor shares with one worker. It holds the job, the journal, and what the worker found.
//! The worker writes before it acts, so that its death loses nothing. One side uses the plain parts at a time: the
//! supervisor before the fork and after the worker's end, the worker in between.

use crate::lockstep::COUNTS;
use memtwin_models::StateMap;
use memtwin_models::wire::MAX_WIRE_BYTES;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Room for an explanation's records.
pub(super) const OUTPUT_BYTES: usize = 16 << 20;
/// Room for kept traces.
pub(super) const KEPT_BYTES: usize = 16 << 20;
/// Frames of a fault that are kept.
pub(super) const MAX_FRAMES: usize = 64;

/// What the worker is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum JobKind {
    Campaign = 0,
    Replay = 1,
    Narrate = 2,
    Symbolise = 3,
    /// Small traces, all of them.
    Exhaust = 4,
    /// The traces in the room for kept ones; the output says what each reached.
    Survey = 5,
    /// Rounds of one target against the clock; the output has the figures.
    Speed = 6,
}

/// The job, in plain numbers.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct JobRecord {
    pub kind: u32,
    pub target: u32,
    pub audits: u32,
    pub stream: u64,
    /// The first trace's number; of a narration, the first op's that is told.
    pub first_trace: u64,
    /// The worker ends after the trace that reaches this many ops, counted from the start of the epoch.
    pub ops_budget: u64,
    /// The worker ends before this trace.
    pub end_trace: u64,
    /// The most ops of a small trace.
    pub depth: u32,
    /// The worker ends after the group of traces during which this time passes (CLOCK_MONOTONIC, in nanoseconds).
    pub deadline_nanoseconds: u64,
    pub heap_limit_bytes: u64,
    /// The engine, as [`Engine`] numbers it.
    pub engine: u32,
}

/// How the worker says that it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Report {
    /// It has not: it died on the way.
    None = 0,
    /// The budget is used up, or the one trace agreed.
    Done = 1,
    /// A law was broken at the journal's place.
    Diverged = 2,
    /// The one trace is moot.
    Moot = 3,
    /// The subject cannot serve the one trace's setup.
    Unsupported = 4,
    /// The subject panicked at the journal's place.
    Panicked = 5,
    /// The sandbox could not be set up; nothing ran.
    NoSandbox = 6,
}

/// A text of bounded length.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Text<const N: usize> {
    length: u32,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    pub(super) fn set(&mut self, text: &str) {
        let length = text.len().min(N);
        self.bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        #[allow(clippy::cast_possible_truncation)] // N is small
        {
            self.length = length as u32;
        }
    }

    pub(super) fn get(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..(self.length as usize).min(N)]).into_owned()
    }
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
    pub frame_count: AtomicU32,
    pub frames: [u64; MAX_FRAMES],
}

/// The shared memory.
#[repr(C)]
pub(super) struct Slot {
    pub job: JobRecord,
    // The journal.
    pub trace: AtomicU64,
    pub place: AtomicU32,
    pub ops: AtomicU64,
    pub traces: AtomicU64,
    pub moot: AtomicU64,
    pub unsupported: AtomicU64,
    pub wire_length: AtomicU32,
    // How it ended.
    pub report: AtomicU32,
    pub law: Text<64>,
    pub field: Text<64>,
    pub has_place: u32,
    pub law_place: u64,
    pub message: Text<1024>,
    pub fault: FaultRecord,
    pub output_length: AtomicU32,
    pub counts: [u64; COUNTS],
    pub features: [u8; StateMap::SIZE],
    /// The kept traces: those of the campaign so far, then what this epoch adds. Written whole before the length says so.
    pub kept_length: AtomicU32,
    pub kept: [u8; KEPT_BYTES],
    pub wire: [u8; MAX_WIRE_BYTES],
    pub output: [u8; OUTPUT_BYTES],
}

/// A mapping of a slot, kept for the life of the process.
#[derive(Debug)]
pub(super) struct SharedSlot {
    memory: OwnedFd,
    slot: NonNull<Slot>,
}

// SAFETY: the slot is shared memory; a `SharedSlot` is used by one thread at a time, and what another process writes
// meanwhile is read through atomics.
unsafe impl Send for SharedSlot {}

impl SharedSlot {
    /// New shared memory, all zero; pages are made when they are touched.
    pub(super) fn create() -> io::Result<Self> {
        let memory = memfd_create(c"memtwin-slot", MFdFlags::MFD_CLOEXEC)?;
        nix::unistd::ftruncate(&memory, i64::try_from(size_of::<Slot>()).map_err(io::Error::other)?)?;
        Self::map(memory)
    }

    /// The slot behind a descriptor from [`SharedSlot::create`].
    pub(super) fn map(memory: OwnedFd) -> io::Result<Self> {
        let length = NonZeroUsize::new(size_of::<Slot>()).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh mapping of a file that is as long as the slot; nothing else is replaced.
        let address = unsafe {
            mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, &memory, 0)
        }?;
        Ok(SharedSlot { memory, slot: address.cast() })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    pub(super) fn get(&self) -> &Slot {
        // SAFETY: the mapping lives until the process ends, is aligned to a page and as long as the slot; every bit
        // pattern is a valid slot; the worker is the only other user, and only atomics are read while it runs.
        unsafe { self.slot.as_ref() }
    }

    pub(super) fn get_mut(&mut self) -> &mut Slot {
        // SAFETY: as above, and `&mut self` excludes other users in this process; the worker either is this process or
        // does not run.
        unsafe { self.slot.as_mut() }
    }

    pub(super) fn as_ptr(&self) -> *mut Slot {
        self.slot.as_ptr()
    }
}

impl Drop for SharedSlot {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and no reference outlives `self`.
        let _ = unsafe { nix::sys::mman::munmap(self.slot.cast(), size_of::<Slot>()) };
    }
}
