//! A heap without any cleverness: all memory in one vector, blocks one behind the other, nothing reused.

use super::super::super::{
    BrkRequest, ENOMEM, FIRST_EXTENT_BYTES, MAX_SHOWN_BYTES, Op, Outcome, PAGE_BYTES, Refusal, Seen, Setup, Size, Slot,
    SystemCall, SystemCallKind, Unit, View,
};
use crate::Payload;

#[derive(Debug, Clone, Copy)]
struct Held {
    block: u64,
    size: u64,
    align: u64,
    length: u64,
}

pub(super) struct Naive {
    setup: Setup,
    /// The heap's bytes, from its start.
    bytes: Vec<u8>,
    slots: [Option<Held>; 16],
    head: u64,
    end: u64,
    program_break: u64,
    foreign: Option<(u64, u64)>,
}

impl Naive {
    pub(super) fn new(setup: &Setup) -> Self {
        let start = setup.heap_start();
        Naive {
            setup: setup.clone(),
            bytes: vec![0x77; setup.frames as usize * 4096],
            slots: [None; 16],
            head: 0,
            end: 0,
            program_break: start,
            foreign: None,
        }
    }

    pub(super) fn view(&self, view: &mut View) {
        view.words = Some((self.head, self.end));
        view.program_break = Some(self.program_break);
        view.mmapped_pages = Some(0);
    }

    pub(super) fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.result = match *op {
            Op::Alloc { slot, size: Size(size), align } => {
                self.slots[slot.index()] = None;
                self.alloc(slot, size, align.bytes(), 0, seen)
            }
            Op::AllocZeroed { slot, size: Size(size), align } => {
                self.slots[slot.index()] = None;
                let result = self.alloc(slot, size, align.bytes(), size, seen);
                if let Seen::Block(block) = result {
                    self.at(block, size).fill(0);
                }
                result
            }
            Op::Realloc { slot, size: Size(size) } => match self.slots[slot.index()] {
                None => Seen::Vacant,
                Some(held) => {
                    let result = self.realloc(slot, held, size, seen);
                    if let Seen::Block(block) = result {
                        let kept = held.length.min(size).min(u64::from(MAX_SHOWN_BYTES));
                        let bytes = self.at(block, kept).to_vec();
                        seen.show(kept as u32).copy_from_slice(&bytes);
                    }
                    result
                }
            },
            Op::Dealloc { slot } => self.slots[slot.index()].take().map_or(Seen::Vacant, |_| Seen::Done),
            Op::Write { slot, seed, length } => match &mut self.slots[slot.index()] {
                None => Seen::Vacant,
                Some(held) => {
                    let length = u64::from(length.min(MAX_SHOWN_BYTES)).min(held.size);
                    held.length = held.length.max(length);
                    let block = held.block;
                    Payload { seed, length: length as u32 }.fill(0, self.at(block, length));
                    Seen::Done
                }
            },
            Op::Verify { slot } => match self.slots[slot.index()] {
                None => Seen::Vacant,
                Some(held) => {
                    let length = held.size.min(u64::from(MAX_SHOWN_BYTES));
                    let bytes = self.at(held.block, length).to_vec();
                    seen.show(length as u32).copy_from_slice(&bytes);
                    Seen::Done
                }
            },
            Op::WriteEnd { slot, seed, length } => match &mut self.slots[slot.index()] {
                None => Seen::Vacant,
                Some(held) => {
                    let length = u64::from(length.min(MAX_SHOWN_BYTES)).min(held.size);
                    held.length = if length == 0 { held.length } else { held.size };
                    let place = held.block + held.size - length;
                    Payload { seed, length: length as u32 }.fill(0, self.at(place, length));
                    Seen::Done
                }
            },
            Op::VerifyEnd { slot } => match self.slots[slot.index()] {
                None => Seen::Vacant,
                Some(held) => {
                    let length = held.size.min(u64::from(MAX_SHOWN_BYTES));
                    let bytes = self.at(held.block + held.size - length, length).to_vec();
                    seen.show(length as u32).copy_from_slice(&bytes);
                    Seen::Done
                }
            },
            Op::PushString { slot, seed, length } => self.push(slot, seed, length, Unit::Byte, seen),
            Op::PushVec { slot, seed, length } => self.push(slot, seed, length, Unit::Word, seen),
            Op::RawBrk { request } => self.raw_brk(request, seen),
            Op::VerifyRawBrk | Op::Fork => Seen::Done,
            Op::Exec => {
                *self = Naive::new(&self.setup);
                Seen::Done
            }
            Op::ReallocAligned { slot, size, align } => {
                if let Some(held) = &mut self.slots[slot.index()] {
                    let before = held.align;
                    held.align = align.bytes();
                    let op = Op::Realloc { slot, size };
                    self.apply(&op, seen);
                    if seen.result == Seen::Null
                        && let Some(held) = &mut self.slots[slot.index()]
                    {
                        held.align = before;
                    }
                    return;
                }
                Seen::Vacant
            }
        };
    }

    fn at(&mut self, address: u64, length: u64) -> &mut [u8] {
        let start = (address - self.setup.heap_start()) as usize;
        &mut self.bytes[start..start + length as usize]
    }

    fn brk(&mut self, argument: u64, seen: &mut Outcome) -> Option<u64> {
        let start = self.setup.heap_start();
        let granularity = u128::from(self.setup.granularity.bytes());
        let rounded = u128::from(argument).div_ceil(granularity) * granularity;
        let rounded = if argument <= self.program_break { rounded.min(self.program_break.into()) } else { rounded };
        let limit = u128::from(start + u64::from(self.setup.frames) * PAGE_BYTES).min(self.setup.stack_low.0.into());
        let granted = start <= argument && rounded <= limit;
        if granted {
            self.program_break = rounded as u64;
        }
        let result = match self.setup.refusal {
            _ if granted || argument < start => self.program_break,
            Refusal::CurrentBreak => self.program_break,
            Refusal::Zero => 0,
            Refusal::Enomem => ENOMEM,
        };
        seen.calls.push(SystemCall { kind: SystemCallKind::Brk, argument, length: 0, result });
        granted.then_some(result)
    }

    fn alloc(&mut self, slot: Slot, size: u64, align: u64, length: u64, seen: &mut Outcome) -> Seen {
        if self.head == 0 {
            self.brk(0, seen);
            self.head = self.program_break;
            self.end = self.brk(self.head + FIRST_EXTENT_BYTES, seen).unwrap_or(self.head);
            self.foreign = None;
        }
        let place = |head: u64| {
            let block = u128::from(head).next_multiple_of(align.into());
            Some((u64::try_from(block).ok()?, u64::try_from(block + u128::from(size)).ok()?))
        };
        let Some((mut block, mut end)) = place(self.head) else { return Seen::Null };
        if self.end < end {
            self.brk(0, seen);
            if self.program_break != self.end {
                // Somebody else moved it: what lies between is not the heap's.
                let Some(placed) = place(self.program_break) else { return Seen::Null };
                (block, end) = placed;
            }
            self.foreign = None;
            let Some(wanted) = end.checked_next_multiple_of(PAGE_BYTES) else { return Seen::Null };
            let Some(granted) = self.brk(wanted, seen) else { return Seen::Null };
            self.end = granted;
        }
        self.head = end;
        self.slots[slot.index()] = Some(Held { block, size, align, length });
        Seen::Block(block)
    }

    fn realloc(&mut self, slot: Slot, held: Held, size: u64, seen: &mut Outcome) -> Seen {
        let kept = self.at(held.block, held.size.min(size)).to_vec();
        let result = self.alloc(slot, size, held.align, held.length.min(size), seen);
        if let Seen::Block(block) = result {
            self.at(block, kept.len() as u64).copy_from_slice(&kept);
        }
        result
    }

    fn push(&mut self, slot: Slot, seed: u16, length: u8, unit: Unit, seen: &mut Outcome) -> Seen {
        let bytes = u64::from(length) * unit.bytes();
        let result = match self.slots[slot.index()] {
            None if bytes == 0 => return Seen::Done,
            None => self.alloc(slot, unit.grown_capacity_bytes(0, bytes), unit.bytes(), 0, seen),
            Some(held) if held.length + bytes <= held.size => Seen::Block(held.block),
            Some(held) => self.realloc(slot, held, unit.grown_capacity_bytes(held.size, held.length + bytes), seen),
        };
        if let (Seen::Block(_), Some(held)) = (result, &mut self.slots[slot.index()]) {
            let place = held.block + held.length;
            held.length += bytes;
            Payload { seed, length: bytes as u32 }.fill(0, self.at(place, bytes));
        }
        result
    }

    fn raw_brk(&mut self, request: BrkRequest, seen: &mut Outcome) -> Seen {
        let before = self.program_break;
        let argument = match request {
            BrkRequest::Query => 0,
            BrkRequest::Grow(bytes) => before.saturating_add(bytes.into()),
            BrkRequest::GiveBack => match self.foreign.take() {
                Some((low, high)) if high == before => low,
                Some(_) | None => 0,
            },
            BrkRequest::At(address) => address.0,
        };
        let granted = self.brk(argument, seen);
        let result = seen.calls.last().map_or(0, |call| call.result);
        if granted.is_none() && self.setup.heap_start() <= argument {
            return Seen::Refused(result);
        }
        if let BrkRequest::Grow(_) = request
            && before < result
        {
            self.foreign = Some((before, result));
        }
        Seen::Break(result)
    }
}
