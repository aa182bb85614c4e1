//! The baton: one of two threads has it, and the other one sleeps until it gets it. What is to be done goes with it,
//! and what became of it comes back. Does not begin or end threads.

use std::any::Any;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// The first thread has it.
const FIRST: u32 = 0;
/// The other thread has it, and works.
const OTHER: u32 = 1;
/// The other thread is to end.
const END: u32 = 2;

/// Work that lives as long as the first thread waits for it.
type Work = *mut (dyn FnMut() + 'static);

pub(super) struct Baton {
    holder: AtomicU32,
    work: Cell<Option<Work>>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

// SAFETY: the cells are touched by the thread that holds the baton and by no other; handing it on publishes them.
unsafe impl Sync for Baton {}
// SAFETY: as above; the work is lent, never owned.
unsafe impl Send for Baton {}

impl Baton {
    /// A baton that the other thread has, until it is ready.
    pub(super) fn new() -> Self {
        Baton { holder: AtomicU32::new(OTHER), work: Cell::new(None), panic: Cell::new(None) }
    }

    /// The first thread waits until the other one has come so far.
    pub(super) fn wait_for_other(&self) {
        while self.holder.load(Ordering::Acquire) != FIRST {
            self.sleep(OTHER);
        }
    }

    /// The first thread has the other one do some work; returns what it panicked with.
    ///
    /// # Safety
    ///
    /// The other thread sleeps, and may use what the work holds.
    pub(super) unsafe fn lend(&self, work: &mut dyn FnMut()) -> Option<Box<dyn Any + Send>> {
        let work = ptr::from_mut(work);
        // SAFETY: only the lifetime changes, and the work is done before this returns.
        let work = unsafe { std::mem::transmute::<*mut (dyn FnMut() + '_), Work>(work) };
        self.work.set(Some(work));
        self.hand_to(OTHER);
        self.wait_for_other();
        self.panic.take()
    }

    /// The first thread has the other one end.
    pub(super) fn end_other(&self) {
        self.hand_to(END);
    }

    /// The other thread gives it back, and sleeps until there is work; nothing when it is to end.
    pub(super) fn next_work(&self) -> Option<Work> {
        self.hand_to(FIRST);
        while self.holder.load(Ordering::Acquire) == FIRST {
            self.sleep(FIRST);
        }
        self.work.take()
    }

    /// The other thread notes what its work panicked with.
    pub(super) fn note_panic(&self, payload: Box<dyn Any + Send>) {
        self.panic.set(Some(payload));
    }

    fn hand_to(&self, holder: u32) {
        self.holder.store(holder, Ordering::Release);
        self.futex(libc::FUTEX_WAKE, 1);
    }

    /// Sleeps while `holder` has it, or for a shorter time.
    fn sleep(&self, holder: u32) {
        self.futex(libc::FUTEX_WAIT, holder);
    }

    fn futex(&self, operation: libc::c_int, value: u32) {
        let operation = operation | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word lives as long as this; a wait without a time ends with a wake, a signal, or another value
        // (man 2 futex), and whoever waits looks again.
        unsafe {
            libc::syscall(libc::SYS_futex, self.holder.as_ptr(), operation, value, ptr::null::<libc::timespec>())
        };
    }
}
