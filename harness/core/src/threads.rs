//! The same work in several threads, of which this one is the first. Where the system gives no more threads, fewer do
//! all of it.

use std::sync::{Mutex, PoisonError};

const STACK_BYTES: usize = 2 << 20;

/// Does the work in up to `threads` threads. The first error of any is returned, and `stop` is called for the others.
pub(crate) fn in_threads<E: Send>(
    threads: usize,
    stop: impl Fn() + Sync,
    work: impl Fn() -> Result<(), E> + Sync,
) -> Result<(), E> {
    let first_error = Mutex::new(None);
    let run = || {
        if let Err(error) = work() {
            first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            stop();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // As much stack as the first thread may rely on, whatever the environment says (RUST_MIN_STACK).
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            if thread.spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    first_error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::in_threads;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn all_threads_work_and_one_error_stops_them() {
        let (next, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || if next.fetch_add(1, Ordering::Relaxed) == 2 { Err("third") } else { Ok(()) };
        let stop = || {
            stopped.fetch_add(1, Ordering::Relaxed);
        };
        assert_eq!(in_threads(4, stop, work), Err("third"));
        assert_eq!((next.into_inner(), stopped.into_inner()), (4, 1));
    }

    #[test]
    fn nothing_less_than_one_thread_works() {
        assert_eq!(in_threads(0, || (), || Err::<(), _>("it ran")), Err("it ran"));
    }
}
