//! Traces of heaps that have no reset, joined: what a malloc library remembers of a trace is there in the next one.

use crate::rig::Join;
use memtwin_models::Lane;
use memtwin_models::heap::{Heap, HeapContract, Op, Order, Setup};

impl Join for Heap {
    /// An arena gets its memory anew for each trace. Memory of the system stays with whoever asked for it.
    fn outlives_traces(contract: &HeapContract) -> bool {
        contract.own_memory
    }

    /// As many threads as any of the traces has. A request that the system refuses is counted from the beginning of its
    /// trace, and only one can be said: first none is, then that of the trace that failed.
    fn joined_setups(earlier: &[&Setup], last: &Setup) -> Vec<Setup> {
        let threads = earlier.iter().map(|setup| setup.threads).fold(last.threads, u8::max);
        let joined = Setup { threads, ..last.clone() };
        match joined.fault {
            None => vec![joined],
            Some(_) => vec![Setup { fault: None, ..joined.clone() }, joined],
        }
    }

    /// The program frees everything in the order of its slots when it is reset. Of the cycles it carries out the first
    /// few of the whole.
    fn trace_end(threads: &[Lane]) -> Vec<(Lane, Op)> {
        let ends = threads.iter().map(|thread| (*thread, Op::ThreadExit));
        ends.chain([(Lane::FIRST, Op::FreeAll { order: Order::Forward })]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::heap::{Fault, Request};

    fn of_threads(threads: u8) -> Setup {
        Setup { threads, ..Setup::flat(4096) }
    }

    #[test]
    fn arenas_leave_nothing_behind() {
        assert!(Heap::outlives_traces(&HeapContract::LIBRARY) && Heap::outlives_traces(&HeapContract::GLOBAL));
        assert!(!Heap::outlives_traces(&HeapContract::ARENA));
    }

    #[test]
    fn a_refusal_is_left_out_first() {
        let fault = Some(Fault { request: Request::Map, after: 3, lasts: true });
        let (plain, refused) = (of_threads(2), Setup { fault, ..of_threads(1) });
        assert_eq!(Heap::joined_setups(&[&refused], &plain), std::slice::from_ref(&plain));
        let both = [plain.clone(), Setup { fault, ..of_threads(2) }];
        assert_eq!(Heap::joined_setups(&[&plain, &plain], &refused), both);
    }
}
