//! Traces in a row as one trace: the ops of each, and between two of them what the end of a trace does. It runs
//! nothing.

use super::Trace;
use crate::rig::Rig;
use memtwin_models::{Lane, MOST_LANES};

impl<C: Rig> Trace<C> {
    /// The traces as one, in each way that its setup can be said, the likeliest first.
    pub(crate) fn join(traces: &[Self]) -> Vec<Self> {
        let Some((last, earlier)) = traces.split_last() else { return Vec::new() };
        let own = |trace: &Self| trace.steps().map(|(lane, op)| (lane, op.clone())).collect::<Vec<_>>();
        let mut steps = Vec::new();
        for trace in earlier {
            steps.extend(own(trace));
            steps.extend(C::trace_end(&trace.running_threads()));
        }
        steps.extend(own(last));
        let setups = earlier.iter().map(|trace| &trace.setup).collect::<Vec<_>>();
        let joined = |setup| Trace::of_threads(setup, steps.iter().cloned());
        C::joined_setups(&setups, &last.setup).into_iter().map(joined).collect()
    }

    /// The threads besides the first that have not ended when the trace is over, in the order in which they end then.
    fn running_threads(&self) -> Vec<Lane> {
        let mut runs = [false; MOST_LANES as usize];
        self.steps().for_each(|(lane, op)| runs[lane.index()] = !C::ends_thread(op));
        let others = (1..MOST_LANES).map(|number| Lane::new_folded(number, MOST_LANES));
        others.filter(|lane| runs[lane.index()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::heap::{Heap, Op, Order, Setup, Size, Slot};

    const SECOND: Lane = Lane::new_folded(1, 4);
    const FOURTH: Lane = Lane::new_folded(3, 4);
    const FREE_ALL: Op = Op::FreeAll { order: Order::Forward };

    fn get(slot: u16) -> Op {
        Op::Malloc { slot: Slot::new_folded(slot), size: Size(8) }
    }

    fn of_threads(threads: u8) -> Setup {
        Setup { threads, ..Setup::flat(4096) }
    }

    #[test]
    fn between_two_traces_threads_end_and_then_everything_is_freed() {
        let first = Trace::<Heap>::of_threads(of_threads(4), [(FOURTH, get(1)), (SECOND, get(2)), (FOURTH, get(3))]);
        let ended =
            Trace::of_threads(of_threads(2), [(Lane::FIRST, get(4)), (SECOND, get(5)), (SECOND, Op::ThreadExit)]);
        let last = Trace::of_threads(of_threads(1), [(Lane::FIRST, get(6)), (SECOND, get(7))]);
        let steps = [
            (FOURTH, get(1)),
            (SECOND, get(2)),
            (FOURTH, get(3)),
            (SECOND, Op::ThreadExit),
            (FOURTH, Op::ThreadExit),
            (Lane::FIRST, FREE_ALL),
            (Lane::FIRST, get(4)),
            (SECOND, get(5)),
            (SECOND, Op::ThreadExit),
            (Lane::FIRST, FREE_ALL),
            (Lane::FIRST, get(6)),
            (SECOND, get(7)),
        ];
        let joined = Trace::of_threads(of_threads(4), steps);
        assert_eq!(Trace::from_wire(&joined.to_wire()), joined);
        assert_eq!(Trace::join(std::slice::from_ref(&last)), std::slice::from_ref(&last));
        assert_eq!(Trace::join(&[first, ended, last]), [joined]);
        assert_eq!(Trace::<Heap>::join(&[]), []);
    }
}
