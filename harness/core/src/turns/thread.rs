//! A post: the thread of one lane, begun and ended as often as traces need it. It works for whoever holds the baton.

use super::baton::Baton;
use super::record;
use memtwin_models::{Lane, Unsupported};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// As much as the first thread of a worker has, so that a stack overflows at the same depth on every lane. Only what is
/// touched costs memory.
pub(crate) const STACK_BYTES: usize = 8 << 20;
/// The inaccessible pages below a stack. A page is not enough: a large frame may jump over it and meet what lies there.
const GAP_BYTES: usize = 2 << 20;
/// The stack that the fault handler runs on, as large as that of the first thread.
pub(crate) const HANDLER_STACK_BYTES: usize = 256 << 10;

const REFUSED: Unsupported = Unsupported("the host refuses a thread");

/// The place of one thread.
#[derive(Default)]
pub(super) struct Post {
    thread: Option<Thread>,
    /// Kept for the next thread of this lane; the one before has ended.
    handler_stack: Vec<u8>,
}

struct Thread {
    handle: libc::pthread_t,
    shared: Arc<Shared>,
}

/// What both threads see.
struct Shared {
    lane: Lane,
    baton: Baton,
    /// The thread's number, once it is ready.
    number: AtomicI32,
    handler_stack: *mut u8,
}

// SAFETY: the handler's stack is used by the other thread alone, and outlives it.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Post {
    /// # Safety
    ///
    /// As [`super::Turns::on`].
    pub(super) unsafe fn run(&mut self, lane: Lane, work: &mut dyn FnMut()) -> Result<(), Unsupported> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none @ None => none.insert(Thread::begin(lane, &mut self.handler_stack)?),
        };
        record::set_running(thread.shared.number.load(Ordering::Relaxed));
        // SAFETY: the thread sleeps, because it was waited for; the rest is the caller's promise.
        let panic = unsafe { thread.shared.baton.lend(work) };
        record::set_running(0);
        panic.map_or(Ok(()), |payload| resume_unwind(payload))
    }

    /// Ends the thread, if it has begun, and waits for it.
    pub(super) fn end(&mut self, lane: Lane) {
        let Some(Thread { handle, shared }) = self.thread.take() else { return };
        record::set_running(shared.number.load(Ordering::Relaxed));
        shared.baton.end_other();
        // SAFETY: the thread was begun, and is joined once.
        unsafe { libc::pthread_join(handle, ptr::null_mut()) };
        record::set_running(0);
        record::leave(lane);
    }
}

impl Thread {
    fn begin(lane: Lane, handler_stack: &mut Vec<u8>) -> Result<Self, Unsupported> {
        handler_stack.resize(HANDLER_STACK_BYTES, 0);
        let handler_stack = handler_stack.as_mut_ptr();
        let shared = Arc::new(Shared { lane, baton: Baton::new(), number: AtomicI32::new(0), handler_stack });
        let argument = Arc::into_raw(Arc::clone(&shared));
        let mut attributes = MaybeUninit::uninit();
        let mut handle = MaybeUninit::uninit();
        // SAFETY: makes attributes, which are destroyed below.
        let made = unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
        if made != 0 {
            // SAFETY: it came from `into_raw`, and no thread has it.
            drop(unsafe { Arc::from_raw(argument) });
            return Err(REFUSED);
        }
        // SAFETY: the attributes are made; the size is above the least there may be.
        unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK_BYTES + GAP_BYTES) };
        // SAFETY: as above.
        unsafe { libc::pthread_attr_setguardsize(attributes.as_mut_ptr(), GAP_BYTES) };
        // SAFETY: the attributes are made; the argument is an `Arc` that the thread takes over.
        let begun =
            unsafe { libc::pthread_create(handle.as_mut_ptr(), attributes.as_ptr(), main, argument.cast_mut().cast()) };
        // SAFETY: the attributes are made, and not used any more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        if begun != 0 {
            // SAFETY: it came from `into_raw`, and no thread has it.
            drop(unsafe { Arc::from_raw(argument) });
            return Err(REFUSED);
        }
        // SAFETY: the thread has begun, so its handle is there.
        let handle = unsafe { handle.assume_init() };
        shared.baton.wait_for_other();
        Ok(Thread { handle, shared })
    }
}

/// What the thread does from its beginning to its end.
extern "C" fn main(argument: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: the argument is the `Arc` that was given to this thread.
    let shared = unsafe { Arc::from_raw(argument.cast_const().cast::<Shared>()) };
    let local = 0_u8;
    let high = ptr::from_ref(&local) as u64;
    let number = record::enter(shared.lane, high - (STACK_BYTES + GAP_BYTES) as u64..high);
    shared.number.store(number, Ordering::Relaxed);
    // AddressSanitizer gives each thread such a stack, and unmaps what it finds there at the end.
    if !memtwin_wild::HAS_ADDRESS_SANITIZER {
        let stack = libc::stack_t { ss_sp: shared.handler_stack.cast(), ss_flags: 0, ss_size: HANDLER_STACK_BYTES };
        // SAFETY: the stack outlives this thread; the old one is not asked for.
        unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
    }
    while let Some(work) = shared.baton.next_work() {
        // SAFETY: whoever lent the work waits until the baton comes back.
        let work = unsafe { &mut *work };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
            shared.baton.note_panic(payload);
        }
    }
    ptr::null_mut()
}
