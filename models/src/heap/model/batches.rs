//! Ops that are many calls: batches of blocks, the search for the largest one, cycles. A single call is judged
//! elsewhere.

use super::super::laws::{ANSWER, BOUNDED, LEAK, REFUSAL};
use super::super::operands::Slot;
use super::super::outcome::{Outcome, Seen};
use super::answers::Request;
use super::{HeapModel, Judged, expect};
use crate::Verdict;

/// What a cycle may add besides a quarter, where the contract states no more, in bytes.
const CYCLE_SLACK_BYTES: u64 = 64 << 10;

impl HeapModel {
    pub(super) fn fill(&mut self, first: Slot, count: u8, size: u64, seen: &Outcome) -> Judged {
        let size = size.max(1);
        let request = Request::of(Some(size));
        let mut answers = seen.batch.iter().copied();
        let mut write_number = seen.write_number;
        let mut result = Seen::Done;
        for slot in (0..u16::from(count.max(1))).map(|distance| first.after(distance)) {
            if self.blocks.get(slot).is_some() {
                continue;
            }
            if self.is_too_much(None, request) {
                break;
            }
            match answers.next() {
                None => return Err(Verdict::diverge(&ANSWER, "batch")),
                Some(0) => {
                    self.refused(request, seen.errno)?;
                    result = Seen::Null;
                    break;
                }
                Some(address) => {
                    self.given(address, request, None)?;
                    self.put(slot, address, size, None, write_number);
                    write_number += 2;
                }
            }
        }
        if answers.next().is_some() {
            return Err(Verdict::diverge(&ANSWER, "batch"));
        }
        expect(result, seen)
    }

    pub(super) fn drain(&mut self, first: Slot, count: u8, every: u8, seen: &Outcome) -> Judged {
        self.look(seen)?;
        let (mut met, mut freed) = (0_u32, 0_u32);
        for slot in (0..u16::from(count.max(1))).map(|distance| first.after(distance)) {
            if self.blocks.get(slot).is_some() {
                if met.is_multiple_of(u32::from(every.max(1))) {
                    self.free(slot);
                    freed += 1;
                }
                met += 1;
            }
        }
        expect(if freed == 0 { Seen::Vacant } else { Seen::Done }, seen)
    }

    pub(super) fn free_all(&mut self, seen: &Outcome) -> Judged {
        self.look(seen)?;
        let was_empty = self.blocks.live().is_empty();
        while let Some(slot) = self.blocks.live().last().copied() {
            self.free(slot);
        }
        expect(if was_empty { Seen::Vacant } else { Seen::Done }, seen)
    }

    pub(super) fn largest(&mut self, exponent: u8, seen: &Outcome) -> Judged {
        let Seen::Bytes(largest) = seen.result else { return Err(Verdict::diverge(&ANSWER, "result")) };
        let align = 1_u64 << exponent;
        if self.has_room(largest.saturating_add(1), align) {
            return Err(Verdict::diverge_at(&REFUSAL, "result", largest));
        }
        if self.blocks.live().is_empty() && self.freed && self.contract.gives_back() {
            match &mut self.first_largest[usize::from(exponent)] {
                first @ None => *first = Some(largest),
                Some(first) if largest.saturating_add(self.contract.kept_bytes) < *first => {
                    return Err(Verdict::diverge_at(&LEAK, "result", *first - largest));
                }
                Some(_) => {}
            }
        }
        self.freed |= largest != 0;
        self.aligned |= 1 < align;
        Ok(())
    }

    pub(super) fn cycle(&mut self, seen: &Outcome) -> Judged {
        if !matches!(seen.result, Seen::Done | Seen::Null) {
            return expect(Seen::Done, seen);
        }
        self.freed = true;
        // What the system does not take back is held, through no fault of the heap's.
        let Some(held) = seen.held.filter(|_| !self.system_refused) else { return Ok(()) };
        let slack = self.contract.kept_bytes.max(CYCLE_SLACK_BYTES);
        if !self.contract.unbounded && held.first + held.first / 4 + slack < held.second {
            return Err(Verdict::diverge_at(&BOUNDED, "held", held.second - held.first));
        }
        Ok(())
    }
}
