//! Threads that take turns: what a trace has on other lanes than the first is carried out there, one op at a time,
//! while the first thread waits. Who runs is decided by hand-offs alone, so that the same trace is the same run. Does
//! not judge.

mod baton;
mod record;
mod thread;

pub(crate) use record::{is_anothers_turn, stack_of_this_thread};
pub(crate) use thread::{HANDLER_STACK_BYTES, STACK_BYTES};

use memtwin_models::{AnySubject, Component, Lane, MOST_LANES, Unsupported};
use thread::Post;

/// Threads besides the first.
const OTHERS: usize = MOST_LANES as usize - 1;

/// A subject that another thread may use while its owner waits.
pub(crate) struct Lent<'a, C: Component>(pub(crate) &'a mut dyn AnySubject<C>);

// SAFETY: subjects of a component with several lanes may be called from several threads, one at a time; that is part of
// `Component::LANES`. Those of a component with one lane stay where they are.
unsafe impl<C: Component> Send for Lent<'_, C> {}

impl<C: Component> Lent<'_, C> {
    #[inline]
    pub(crate) fn get(&mut self) -> &mut dyn AnySubject<C> {
        self.0
    }
}

/// The threads of a trace besides the one that calls. They are begun when they are first needed.
#[derive(Default)]
pub(crate) struct Turns {
    posts: [Post; OTHERS],
}

impl Turns {
    /// Has the thread of a lane carry out an op, and ends it with the op if that says so. What panics there goes on
    /// panicking here. `Err` when the host refuses a thread: then nothing was done. For components of one thread this
    /// is a call.
    #[inline]
    pub(crate) fn carry_out<C: Component>(
        &mut self,
        lane: Lane,
        subject: &mut dyn AnySubject<C>,
        op: &C::Op,
        seen: &mut C::Outcome,
    ) -> Result<(), Unsupported> {
        if C::LANES == 1 || lane == Lane::FIRST {
            subject.apply(op, seen);
            return Ok(());
        }
        let mut subject = Lent(subject);
        self.on(lane, &mut || subject.get().apply(op, seen))?;
        if C::ends_thread(op) {
            self.end(lane);
        }
        Ok(())
    }

    /// Does some work on the thread of a lane, and waits for it. What panics there goes on panicking here.
    ///
    /// `Err` when the host refuses a thread: then nothing was done.
    pub(crate) fn on<W: FnMut() + Send>(&mut self, lane: Lane, work: &mut W) -> Result<(), Unsupported> {
        let Some(post) = lane.index().checked_sub(1).and_then(|index| self.posts.get_mut(index)) else {
            work();
            return Ok(());
        };
        // SAFETY: the work may be sent to another thread; this one does nothing until it is done.
        unsafe { post.run(lane, work) }
    }

    /// Ends the thread of a lane, if it has begun; its destructors have run when this returns. The first never ends.
    pub(crate) fn end(&mut self, lane: Lane) {
        if let Some(post) = lane.index().checked_sub(1).and_then(|index| self.posts.get_mut(index)) {
            post.end(lane);
        }
    }

    /// Ends them all, in order.
    pub(crate) fn end_all(&mut self) {
        for number in 1..MOST_LANES {
            self.end(Lane::new_folded(number, MOST_LANES));
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.end_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread::current;

    const SECOND: Lane = Lane::new_folded(1, 4);
    const FOURTH: Lane = Lane::new_folded(3, 4);

    thread_local! {
        static COUNT: Cell<u32> = const { Cell::new(0) };
    }

    fn on<T: Send>(turns: &mut Turns, lane: Lane, mut work: impl FnMut() -> T + Send) -> T {
        let mut answer = None;
        turns.on(lane, &mut || answer = Some(work())).unwrap();
        answer.unwrap()
    }

    fn count() -> u32 {
        COUNT.set(COUNT.get() + 1);
        COUNT.get()
    }

    #[test]
    fn each_lane_is_a_thread_of_its_own_until_it_ends() {
        let mut turns = Turns::default();
        let here = current().id();
        assert_eq!(on(&mut turns, Lane::FIRST, || current().id()), here);
        let second = on(&mut turns, SECOND, || current().id());
        let fourth = on(&mut turns, FOURTH, || current().id());
        assert!(here != second && here != fourth && second != fourth);
        let counts = [SECOND, SECOND, FOURTH, SECOND, Lane::FIRST].map(|lane| on(&mut turns, lane, count));
        assert_eq!(counts, [1, 2, 1, 3, 1]);
        turns.end(SECOND);
        turns.end(SECOND);
        turns.end(Lane::FIRST);
        assert_eq!([SECOND, FOURTH, Lane::FIRST].map(|lane| on(&mut turns, lane, count)), [1, 2, 2]);
        turns.end_all();
        assert_eq!([SECOND, FOURTH].map(|lane| on(&mut turns, lane, count)), [1, 1]);
    }

    #[test]
    fn what_panics_there_panics_here_and_the_thread_goes_on() {
        let mut turns = Turns::default();
        on(&mut turns, FOURTH, count);
        let panicked = catch_unwind(AssertUnwindSafe(|| on(&mut turns, FOURTH, || panic!("there"))));
        assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"there"));
        assert_eq!(on(&mut turns, FOURTH, count), 2);
    }

    #[test]
    fn destructors_have_run_when_a_thread_has_ended() {
        struct Noisy(std::sync::Arc<std::sync::atomic::AtomicBool>);
        impl Drop for Noisy {
            fn drop(&mut self) {
                self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        thread_local! {
            static NOISY: Cell<Option<Noisy>> = const { Cell::new(None) };
        }
        let ended = std::sync::Arc::default();
        let mut turns = Turns::default();
        on(&mut turns, SECOND, || NOISY.set(Some(Noisy(std::sync::Arc::clone(&ended)))));
        assert!(!ended.load(std::sync::atomic::Ordering::SeqCst));
        drop(turns);
        assert!(ended.load(std::sync::atomic::Ordering::SeqCst));
    }

    #[test]
    fn a_thread_has_as_much_stack_as_the_first_one_of_a_worker() {
        fn deep(bytes: usize) -> usize {
            let frame = std::hint::black_box([1_u8; 4096]);
            if bytes <= frame.len() { frame.len() } else { deep(bytes - frame.len()) + usize::from(frame[7]) }
        }
        let mut turns = Turns::default();
        assert!(0 < on(&mut turns, FOURTH, || deep(7 << 20)));
    }
}
