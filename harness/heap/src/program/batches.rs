//! Ops that are many calls: batches of slots, the search for the largest block, cycles. It judges nothing.

use super::Program;
use crate::allocator::{Allocator, Answer, Get, Live, natural_align};
use memtwin_models::heap::{FreedBy, Held as HeldBytes, MEASURED_REPEATS, Order, Outcome, Seen, Slot, WARM_UP_REPEATS};

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
        let mut slots = std::mem::take(&mut self.slots_in_order);
        slots.clear();
        slots.extend_from_slice(self.slots.live());
        slots.sort_unstable();
        let result = if slots.is_empty() { Seen::Vacant } else { Seen::Done };
        match order {
            Order::Forward => slots.iter().for_each(|slot| _ = self.show_and_free(*slot, seen)),
            Order::Backward => slots.iter().rev().for_each(|slot| _ = self.show_and_free(*slot, seen)),
            Order::Alternating => {
                slots.iter().step_by(2).for_each(|slot| _ = self.show_and_free(*slot, seen));
                slots.iter().skip(1).step_by(2).for_each(|slot| _ = self.show_and_free(*slot, seen));
            }
        }
        self.slots_in_order = slots;
        result
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

// SAFETY: the owner waits until the thread has ended, so there is one user at a time; the allocator says that it may be used
// by any thread.
unsafe impl<A: Allocator> Send for Lent<'_, A> {}
