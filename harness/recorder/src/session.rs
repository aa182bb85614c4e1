//! The recording of this process: when it begins, who may write, and what a call becomes. Calls of the allocator are
//! not made here.

use crate::blocks::{Block, Blocks};
use crate::judge::{Broken, Judge};
use crate::next;
use crate::sheet::{self, Sheet};
use crate::words::Words;
use libc::c_void;
use memtwin_recording::{Breach, Field, Kind, Record};
use std::arch::asm;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};

/// Threads whose numbers are known, as a power of two.
const THREADS_SHIFT: u32 = 10;
/// So often a thread looks at the lock before it lets others run.
const SPINS: u32 = 100;

const NEW: u8 = 0;
const BEGINNING: u8 = 1;
const RECORDING: u8 = 2;
const SILENT: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(NEW);
/// The thread that records at the moment; 0 for none.
static OWNER: AtomicU64 = AtomicU64::new(0);
/// A word that is not zero in the process that began to record, and zero in those that it forks.
static SAME_PROCESS: AtomicPtr<u64> = AtomicPtr::new(std::ptr::null_mut());

struct Shared(UnsafeCell<Option<Session>>);

// SAFETY: it is written once, before `STATE` says so, and used by the owner of the lock alone.
unsafe impl Sync for Shared {}

static SESSION: Shared = Shared(UnsafeCell::new(None));

/// What the recorder knows.
#[derive(Debug)]
pub(crate) struct Session {
    sheet: Sheet,
    blocks: Blocks,
    judge: Option<Judge>,
    last_number: u32,
    /// Threads and their numbers, from 1 on, in turn.
    threads: Words,
    thread_count: u16,
    last_thread: (u64, u16),
}

/// The session, for the thread that holds the lock.
#[derive(Debug)]
pub(crate) struct Entered<'a>(&'a mut Session);

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        OWNER.store(0, Ordering::Release);
    }
}

impl Deref for Entered<'_> {
    type Target = Session;
    fn deref(&self) -> &Session {
        self.0
    }
}

impl DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.0
    }
}

/// The thread, as a number that no other one has at the same time. A thread-local variable of a library may itself ask
/// for memory.
#[inline]
fn this_thread() -> u64 {
    let thread;
    // SAFETY: on x86-64 Linux the word at fs:0 is its own address, which the C library sets before anything of a thread
    // runs.
    unsafe { asm!("mov {}, fs:0", out(reg) thread, options(nostack, readonly, preserves_flags)) };
    thread
}

/// The session, and the lock on it until the guard is dropped; `None` where the call is to be passed on unrecorded.
#[inline]
pub(crate) fn enter() -> Option<Entered<'static>> {
    if STATE.load(Ordering::Acquire) != RECORDING && !begin() {
        return None;
    }
    let same_process = SAME_PROCESS.load(Ordering::Relaxed);
    // SAFETY: the page was mapped before `STATE` said so, and stays; only a fork changes it.
    if unsafe { same_process.read_volatile() } == 0 {
        return None;
    }
    let thread = this_thread();
    let mut spins = 0_u32;
    while let Err(owner) = OWNER.compare_exchange_weak(0, thread, Ordering::Acquire, Ordering::Relaxed) {
        if owner == thread {
            // The allocator asks itself, or a signal came in the middle.
            return None;
        }
        spins = spins.wrapping_add(1);
        if spins.is_multiple_of(SPINS) {
            // SAFETY: it lets others run and does nothing else.
            unsafe { libc::sched_yield() };
        } else {
            std::hint::spin_loop();
        }
    }
    // SAFETY: nobody writes it after `STATE` was set, and this thread holds the lock.
    let session = unsafe { &mut *SESSION.0.get() };
    // Dropped, it gives the lock back. It is there: `STATE` is set after it.
    let mut entered = Entered(session.as_mut()?);
    if entered.sheet.has_room() {
        return Some(entered);
    }
    entered.sheet.count(Field::CallsLost);
    None
}

/// Begins to record, if nobody has; whether it records.
#[cold]
pub(crate) fn begin() -> bool {
    if STATE.load(Ordering::Relaxed) != NEW || !sheet::has_environment() {
        return false;
    }
    // The first one alone; what its search asks for, and others ask for meanwhile, is passed on.
    if STATE.compare_exchange(NEW, BEGINNING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return false;
    }
    let before = sheet::errno();
    next::find();
    let session = Session::open();
    let records = session.is_some();
    // SAFETY: nobody else looks at it before `STATE` says so.
    unsafe { *SESSION.0.get() = session };
    STATE.store(if records { RECORDING } else { SILENT }, Ordering::Release);
    sheet::set_errno(before);
    records
}

/// A word in a page that a fork wipes.
fn mark_process() -> bool {
    let Some(mut words) = Words::reserve(9) else { return false };
    words.set(0, 1);
    let start = words.start();
    // SAFETY: the page is this function's own, and private.
    let is_wiped = unsafe { libc::madvise(start.cast::<c_void>(), 4096, libc::MADV_WIPEONFORK) } == 0;
    SAME_PROCESS.store(start, Ordering::Relaxed);
    is_wiped
}

impl Session {
    fn open() -> Option<Self> {
        if !mark_process() {
            return None;
        }
        let judge = if sheet::judges() { Some(Judge::reserve()?) } else { None };
        let blocks = Blocks::reserve(judge.is_some())?;
        let threads = Words::reserve(THREADS_SHIFT + 1)?;
        let sheet = Sheet::open()?;
        Some(Session { sheet, blocks, judge, last_number: 0, threads, thread_count: 0, last_thread: (0, 0) })
    }

    /// The number of the thread that holds the lock. Threads beyond those that have room share one.
    #[inline]
    fn thread(&mut self) -> u16 {
        let thread = OWNER.load(Ordering::Relaxed);
        if thread != self.last_thread.0 {
            self.last_thread = (thread, self.number_of(thread));
        }
        self.last_thread.1
    }

    #[allow(clippy::cast_possible_truncation)] // a hash, and numbers of 16 bits
    fn number_of(&mut self, thread: u64) -> u16 {
        let home = (thread.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
        for place in home..home + (1 << THREADS_SHIFT) {
            match self.threads.get(2 * place) {
                0 => {
                    self.threads.set(2 * place, thread);
                    self.threads.set(2 * place + 1, self.thread_count.into());
                    self.thread_count += 1;
                    return self.thread_count - 1;
                }
                known if known == thread => return self.threads.get(2 * place + 1) as u16,
                _ => {}
            }
        }
        self.thread_count
    }

    fn record(&mut self, kind: Kind, block: u32, is_answered: bool, operands: (usize, usize)) -> Record {
        let (first, second) = (operands.0 as u64, operands.1 as u64);
        Record { kind, is_answered, thread: self.thread(), block, first, second }
    }

    fn note(&mut self, broken: Option<Broken>, address: u64) {
        if let Some((law, place)) = broken {
            let call = self.sheet.next_call();
            self.sheet.note(&Breach { law, call, address, place });
        }
    }

    /// A block was answered: its number from now on.
    fn hold(&mut self, number: u32, size: Option<u64>, address: u64) {
        if !self.blocks.put(Block { address, number, size: size.unwrap_or(0) }) {
            self.sheet.count(Field::BlocksLost);
        }
    }

    /// A request for a block was answered.
    #[inline]
    pub(crate) fn got(&mut self, kind: Kind, operands: (usize, usize), block: *mut c_void) {
        let address = block as u64;
        if address == 0 {
            let record = self.record(kind, 0, false, operands);
            self.sheet.write(&record);
            return;
        }
        self.last_number = self.last_number.wrapping_add(1);
        let record = self.record(kind, self.last_number, true, operands);
        if let Some(judge) = &mut self.judge {
            let broken = judge.given(&self.blocks, &record, address);
            self.note(broken, address);
        }
        self.hold(record.block, record.asked_bytes(), address);
        self.sheet.write(&record);
    }

    /// `posix_memalign` was answered.
    pub(crate) fn got_posix(&mut self, operands: (usize, usize), returned: i32, block: *mut c_void) {
        if self.judge.is_some() {
            let record = self.record(Kind::PosixMemalign, 0, false, operands);
            let broken = Judge::validity(&record, returned == libc::EINVAL);
            self.note(broken, block as u64);
        }
        self.got(Kind::PosixMemalign, operands, block);
    }

    /// A block is about to be freed.
    #[inline]
    pub(crate) fn free(&mut self, block: *mut c_void) {
        let taken = self.blocks.take(block as u64);
        if let (Some(judge), Some(taken)) = (&mut self.judge, taken) {
            judge.gone(taken);
        }
        let record = match taken {
            Some(taken) => self.record(Kind::Free, taken.number, true, (0, 0)),
            None => self.record(if block.is_null() { Kind::FreeNull } else { Kind::FreeUnknown }, 0, true, (0, 0)),
        };
        self.sheet.write(&record);
    }

    /// A block is about to have another size: the block, whose place another thread may get at once.
    pub(crate) fn begin_resize(&mut self, block: *mut c_void, size: Option<usize>) -> Option<Block> {
        let old = self.blocks.take(block as u64)?;
        if let Some(judge) = &mut self.judge {
            judge.remember(old.address, old.size.min(size.map_or(0, |size| size as u64)));
            judge.gone(old);
        }
        Some(old)
    }

    /// A request for another size was answered. What was never seen to be asked for is a new block from now on.
    pub(crate) fn end_resize(&mut self, old: Option<Block>, kind: Kind, operands: (usize, usize), block: *mut c_void) {
        let address = block as u64;
        let record = self.record(kind, old.map_or(0, |old| old.number), address != 0, operands);
        let size = record.asked_bytes();
        let Some(old) = old else {
            self.sheet.count(Field::BlocksLost);
            let size = usize::try_from(size.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
            return self.got(Kind::Malloc, (size, 0), block);
        };
        let kept = old.size.min(size.unwrap_or(0));
        if size == Some(0) {
            // It was freed, in all allocators but those that answer with a block of no bytes.
            let record = self.record(Kind::Free, old.number, true, (0, 0));
            self.sheet.write(&record);
            if address != 0 {
                self.got(Kind::Malloc, (0, 0), block);
            }
            return;
        }
        if let Some(judge) = &mut self.judge {
            let broken = if address == 0 {
                judge.back(&self.blocks, old);
                judge.lost(old.address, kept)
            } else {
                let given = judge.given(&self.blocks, &record, address);
                given.or_else(|| judge.lost(address, kept))
            };
            self.note(broken, address);
        }
        if address == 0 {
            self.hold(old.number, Some(old.size), old.address);
        } else {
            self.hold(old.number, size, address);
        }
        self.sheet.write(&record);
    }

    /// The program was told how many bytes of a block are its own.
    pub(crate) fn told(&mut self, block: *mut c_void, bytes: usize) {
        let Some(known) = self.blocks.find(block as u64) else { return };
        if self.judge.is_some() && (bytes as u64) < known.size {
            self.note(Some((memtwin_recording::Law::Usable, bytes as u64)), known.address);
        }
        let record = self.record(Kind::UsableSize, known.number, true, (bytes, 0));
        self.sheet.write(&record);
    }
}
