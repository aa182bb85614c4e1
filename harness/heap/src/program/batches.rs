//! Ops that are many calls: batches of slots, the search for the largest block, cycles. It judges nothing.

use super::Program;
use crate::allocator::{Allocator, Answer, Get, Live, natural_align};
use memtwin_models::heap::{
    FreedBy, Held as HeldBytes, MEASURED_REPEATS, MOST_TOUCHED_BYTES, Order, Outcome, Seen, Slot, WARM_UP_REPEATS,
};

/// Repeats of a cycle where nobody can tell how much is held: what is freed is asked for once more.
const UNMEASURED_REPEATS: u32 = 2;
/// Cycles of a trace that are carried out; each is thousands of calls.
const MOST_CYCLES: u32 = 4;

impl<A: Allocator> Program<A> {
    pub(super) fn fill_slots(&mut self, first: Slot, count: u8, size: usize, seen: &mut Outcome) -> Seen {
        for slot in (0..u16::from(count.max(1))).map(|distance| first.after(distance)) {
            if self.slots.get(slot).is_some() {
                continue;
            }
            if self.is_too_much(0, size, natural_align(size), false) {
                break;
            }
            let Answer::Block(block) = self.allocator.get(Get::Malloc { size }) else {
                seen.batch.push(0);
                return Seen::Null;
            };
            seen.batch.push(self.allocator.nominal(block));
            self.slots.put(slot, block, size, natural_align(size));
            self.fill(slot);
        }
        Seen::Done
    }

    pub(super) fn drain(&mut self, first: Slot, count: u8, every: u8, seen: &mut Outcome) -> Seen {
        let mut met = 0_u32;
        let mut result = Seen::Vacant;
        for slot in (0..u16::from(count.max(1))).map(|distance| first.after(distance)) {
            if self.slots.get(slot).is_none() {
                continue;
            }
            if met.is_multiple_of(u32::from(every.max(1))) {
                self.show_and_free(slot, seen);
                result = Seen::Done;
            }
            met += 1;
        }
        result
    }

    pub(super) fn free_all(&mut self, order: Order, seen: &mut Outcome) -> Seen {
        let mut result = Seen::Vacant;
        self.for_live_slots(|program, slots| {
            if !slots.is_empty() {
                result = Seen::Done;
            }
            let mut free = |slot: &Slot| _ = program.show_and_free(*slot, seen);
            match order {
                Order::Forward => slots.iter().for_each(free),
                Order::Backward => slots.iter().rev().for_each(free),
                Order::Alternating => {
                    slots.iter().step_by(2).for_each(&mut free);
                    slots.iter().skip(1).step_by(2).for_each(free);
                }
            }
        });
        result
    }

    /// Does something with the slots that hold blocks, in their order.
    pub(super) fn for_live_slots(&mut self, work: impl FnOnce(&mut Self, &[Slot])) {
        let mut slots = std::mem::take(&mut self.slots_in_order);
        slots.clear();
        slots.extend_from_slice(self.slots.live());
        slots.sort_unstable();
        work(self, &slots);
        self.slots_in_order = slots;
    }

    /// The largest size that is answered with a block: doubled until it is not, then halved between.
    pub(super) fn largest(&mut self, align: usize) -> Seen {
        let (mut fits, mut too_large) = (0, 1_usize << 62);
        let mut tried = 1;
        while fits + 1 < too_large {
            let got = match self.allocator.get(Get::Alloc { size: tried, align }) {
                Answer::Block(block) => {
                    // SAFETY: the block was just allocated so.
                    unsafe { self.allocator.free(Live { block, size: tried, align }) };
                    true
                }
                Answer::Null | Answer::Invalid | Answer::Unaskable => false,
                Answer::Skipped => return Seen::Skipped,
            };
            if got {
                fits = tried;
            } else {
                too_large = tried;
            }
            tried = if too_large == 1 << 62 { tried * 2 } else { fits.midpoint(too_large) };
        }
        Seen::Bytes(fits as u64)
    }

    pub(super) fn cycle(&mut self, count: usize, size: usize, by: FreedBy, seen: &mut Outcome) -> Seen {
        self.cycles += 1;
        if MOST_CYCLES < self.cycles {
            return Seen::Done;
        }
        // To ask how much is held, and to give memory back before, takes system calls, and may be of no use.
        let is_measured = !self.contract.unbounded && self.allocator.held_bytes().is_some();
        // What a cycle takes at once is little beside the machine's memory.
        #[allow(clippy::cast_possible_truncation)] // a count is below 256
        let count = count.min((MOST_TOUCHED_BYTES / size as u64).clamp(1, 255) as usize);
        let mut most = [0_u64; 2];
        let mut result = Seen::Done;
        for repeat in 0..if is_measured { WARM_UP_REPEATS + MEASURED_REPEATS } else { UNMEASURED_REPEATS } {
            let mut got = 0;
            while got < count {
                let Answer::Block(block) = self.allocator.get(Get::Malloc { size }) else {
                    result = Seen::Null;
                    break;
                };
                self.cycled[got] = block;
                got += 1;
            }
            self.free_cycled(got, size, by);
            if !is_measured {
                continue;
            }
            self.allocator.trim();
            if let (Some(measured), Some(held)) = (repeat.checked_sub(WARM_UP_REPEATS), self.allocator.held_bytes()) {
                let half = usize::from(MEASURED_REPEATS / 2 <= measured);
                most[half] = most[half].max(held);
            }
        }
        seen.held = is_measured.then_some(HeldBytes { first: most[0], second: most[1] });
        result
    }

    fn free_cycled(&mut self, got: usize, size: usize, by: FreedBy) {
        if by == FreedBy::NewThread && A::IS_SHARED {
            let program = Lent(self);
            std::thread::scope(|scope| {
                let _ = scope.spawn(|| {
                    let Lent(program) = { program };
                    program.free_now(got, size);
                    program.allocator.thread_exits();
                });
            });
        } else {
            self.free_now(got, size);
        }
    }

    fn free_now(&mut self, got: usize, size: usize) {
        for block in self.cycled.iter().take(got) {
            let live = Live { block: *block, size, align: natural_align(size) };
            // SAFETY: the block was allocated so and is forgotten.
            unsafe { self.allocator.free(live) };
        }
    }
}

/// The program, lent to a thread that its owner waits for.
struct Lent<'a, A: Allocator>(&'a mut Program<A>);

// SAFETY: the owner waits until the thread has ended, so there is one user at a time; the allocator says that it may be
// used by any thread.
unsafe impl<A: Allocator> Send for Lent<'_, A> {}

#[cfg(test)]
mod tests {
    use crate::{GlobalHeap, global};
    use memtwin_models::heap::{Heap, Op, Order, Outcome, Setup, Size, Slot};
    use memtwin_models::{AnySubject, Row};
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::RefCell;

    thread_local! {
        static FREED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    /// Notes the size of each block that it gets back.
    struct Noting;

    // SAFETY: the system's allocator does the work.
    unsafe impl GlobalAlloc for Noting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promises are the same.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            FREED.with_borrow_mut(|freed| freed.push(layout.size()));
            // SAFETY: as above.
            unsafe { System.dealloc(block, layout) };
        }
    }

    impl GlobalHeap for Noting {
        type Allocator = Noting;
        const NAME: &'static str = "noting";

        fn new() -> Noting {
            Noting
        }
    }

    static ROW: Row<Heap> = global::<Noting>();

    /// What is freed, in its order, when five blocks were asked for and something ends it.
    fn freed_by(end: impl FnOnce(&mut dyn AnySubject<Heap>, &Setup)) -> Vec<usize> {
        let setup = Setup::flat(4096);
        let mut subject = ROW.construct(&setup).unwrap();
        let get = |slot, size| Op::Malloc { slot: Slot::new_folded(slot), size: Size(size) };
        for op in [get(9, 90), get(4, 40), get(7, 1), get(2, 20), get(7, 70), get(1, 10)] {
            subject.apply(&op, &mut Outcome::default());
        }
        FREED.take();
        end(&mut *subject, &setup);
        FREED.take()
    }

    #[test]
    fn a_reset_frees_in_the_order_of_the_op_that_frees_all() {
        let reset = freed_by(|subject, setup| assert!(subject.reset(setup)));
        let free_all = Op::FreeAll { order: Order::Forward };
        assert_eq!(reset, [10, 20, 40, 70, 90]);
        assert_eq!(reset, freed_by(|subject, _| subject.apply(&free_all, &mut Outcome::default())));
    }
}
