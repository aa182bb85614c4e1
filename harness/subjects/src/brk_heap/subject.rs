//! The program: it carries out ops on its slots and shows what it sees. Does not judge, and does not keep anything that
//! the allocator could be asked for.

use super::deviation::{BlockOrigin, Deviation};
use super::process::Process;
use memtwin_models::brk_heap::{
    BrkHeap, BrkHeapContract, BrkRequest, GUEST_END, MAX_SHOWN_BYTES, Op, Outcome, SLOTS, Seen, Setup, Size, Slot,
    Unit, View,
};
use memtwin_models::{Health, Payload, Subject, Unsupported};

/// The bytes beyond the last block that are poisoned.
const REDZONE_BYTES: u64 = 256;
const POISON: u8 = 0xdb;
/// What another user of `brk` fills its memory with.
const FOREIGN: u8 = 0xa5;

/// A variable that holds a block.
#[derive(Debug, Clone, Copy)]
struct Held {
    block: u64,
    size: u64,
    align: u64,
    /// How many bytes the program has put there: where the next push goes.
    length: u64,
}

/// The subject made of a process with the deviation `D`.
#[derive(Debug)]
pub struct Program<D: Deviation> {
    process: Process<D>,
    setup: Setup,
    slots: [Option<Held>; SLOTS as usize],
    /// The poisoned bytes.
    redzone: (u64, u64),
    /// The end of the highest block.
    top: u64,
    /// The last growth of another user of `brk`, as (break before, break after).
    foreign: Option<(u64, u64)>,
    /// All that other users have and have filled, in the order of addresses.
    filled: Vec<(u64, u64)>,
    /// The allocator's words as it left them.
    left_words: (u64, u64),
    changed_words: Option<(u64, u64)>,
}

impl<D: Deviation> Subject<BrkHeap> for Program<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: BrkHeapContract = D::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Program {
            process: Process::new(setup)?,
            setup: setup.clone(),
            slots: [None; SLOTS as usize],
            redzone: (0, 0),
            top: 0,
            foreign: None,
            filled: Vec::with_capacity(64),
            left_words: (0, 0),
            changed_words: None,
        })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        if self.setup != *setup {
            return false;
        }
        self.process.reset();
        self.begin_image();
        self.changed_words = None;
        true
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        self.process.calls.clear();
        seen.calls.clear();
        seen.result = self.carry_out(op, seen);
        seen.calls.extend_from_slice(&self.process.calls);
    }

    fn view(&mut self, view: &mut View) {
        self.look_at_words();
        let kernel = &self.process.kernel;
        view.words = (D::BLOCK_ORIGIN == BlockOrigin::Brk).then(|| self.process.words());
        view.changed_words = self.changed_words;
        view.program_break = Some(kernel.program_break);
        view.unmapped_page = kernel.first_unmapped(kernel.heap_start, kernel.program_break);
        view.mapped_page = kernel.first_mapped_above();
        if view.is_full {
            view.foreign_byte = self.first_foreign_change();
        }
        let kernel = &self.process.kernel;
        view.clobbered_register = self.process.clobbered_register;
        view.mmapped_pages = Some(kernel.mmapped_pages);
    }
}

impl<D: Deviation> Program<D> {
    /// What a program has when it begins.
    fn begin_image(&mut self) {
        self.slots = [None; SLOTS as usize];
        (self.redzone, self.top, self.foreign) = ((0, 0), 0, None);
        self.filled.clear();
        self.left_words = (0, 0);
    }

    fn carry_out(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        match *op {
            Op::Alloc { slot, size: Size(size), align } => {
                self.free(slot);
                self.ask(seen, |process| process.alloc(size, align.bytes()));
                self.hold(slot, seen, size, align.bytes(), 0)
            }
            Op::AllocZeroed { slot, size: Size(size), align } => {
                self.free(slot);
                self.ask(seen, |process| process.alloc_zeroed(size, align.bytes()));
                if let Seen::Block(block) = seen.result {
                    seen.nonzero = self.process.first_other_byte(block, size, 0);
                }
                self.hold(slot, seen, size, align.bytes(), size)
            }
            Op::Realloc { slot, size: Size(size) } => {
                let Some(held) = self.slots[slot.index()] else { return Seen::Vacant };
                let result = self.realloc(slot, held, size, seen);
                self.show_kept(result, held.length.min(size), seen);
                result
            }
            Op::Dealloc { slot } => {
                if self.free(slot) {
                    Seen::Done
                } else {
                    Seen::Vacant
                }
            }
            Op::Write { slot, seed, length } => self.write(slot, seed, length),
            Op::Verify { slot } => {
                let Some(held) = self.slots[slot.index()] else { return Seen::Vacant };
                let length = held.size.min(u64::from(MAX_SHOWN_BYTES));
                self.process.load(held.block, seen.show(u32::try_from(length).unwrap_or(0)));
                Seen::Done
            }
            Op::WriteEnd { slot, seed, length } => self.write_end(slot, seed, length),
            Op::VerifyEnd { slot } => {
                let Some(held) = self.slots[slot.index()] else { return Seen::Vacant };
                let length = held.size.min(u64::from(MAX_SHOWN_BYTES));
                let place = held.block.wrapping_add(held.size - length);
                self.process.load(place, seen.show(u32::try_from(length).unwrap_or(0)));
                Seen::Done
            }
            Op::PushString { slot, seed, length } => self.push(slot, seed, length, Unit::Byte, seen),
            Op::PushVec { slot, seed, length } => self.push(slot, seed, length, Unit::Word, seen),
            Op::RawBrk { request } => self.raw_brk(request, seen),
            Op::VerifyRawBrk if D::CONTRACT.no_raw_brk => Seen::Skipped,
            Op::VerifyRawBrk => {
                seen.foreign_byte = self.first_foreign_change();
                Seen::Done
            }
            Op::Fork | Op::Exec if D::CONTRACT.no_processes => Seen::Skipped,
            Op::Fork => {
                self.process.fork();
                Seen::Done
            }
            Op::Exec => {
                self.look_at_words();
                self.process.exec();
                self.begin_image();
                Seen::Done
            }
            Op::ReallocAligned { .. } if D::CONTRACT.no_new_alignment => Seen::Skipped,
            Op::ReallocAligned { slot, size: Size(size), align } => {
                let Some(held) = self.slots[slot.index()] else { return Seen::Vacant };
                let asked = D::realloc_align(held.align, align.bytes());
                self.ask(seen, |process| process.realloc(held.block, held.size, asked, size));
                let result = self.hold(slot, seen, size, align.bytes(), held.length.min(size));
                self.show_kept(result, held.length.min(size), seen);
                result
            }
        }
    }

    /// The program looks at the bytes that were to be kept.
    fn show_kept(&mut self, result: Seen, kept: u64, seen: &mut Outcome) {
        if let Seen::Block(block) = result {
            let kept = kept.min(u64::from(MAX_SHOWN_BYTES));
            self.process.load(block, seen.show(u32::try_from(kept).unwrap_or(0)));
        }
    }

    /// Other users look at what they filled, as far as it lies below the break.
    fn first_foreign_change(&self) -> Option<u64> {
        let program_break = self.process.kernel.program_break;
        self.filled.iter().find_map(|(low, high)| {
            let length = program_break.min(*high).saturating_sub(*low);
            self.process.first_other_byte(*low, length, FOREIGN).map(|offset| low + offset)
        })
    }

    /// Calls the allocator and looks at what it did besides answering. The answer is in the outcome.
    fn ask(&mut self, seen: &mut Outcome, call: impl FnOnce(&mut Process<D>) -> Option<u64>) {
        self.look_at_words();
        let answer = call(&mut self.process);
        self.left_words = self.process.words();
        if self.process.calls.iter().any(|call| call.argument != 0) {
            self.foreign = None;
        }
        seen.result = answer.map_or(Seen::Null, Seen::Block);
    }

    /// Notes when something else has changed the allocator's words.
    fn look_at_words(&mut self) {
        if self.changed_words.is_none() && self.process.words() != self.left_words {
            self.changed_words = Some(self.left_words);
        }
    }

    /// Puts the block that was answered into the slot.
    fn hold(&mut self, slot: Slot, seen: &mut Outcome, size: u64, align: u64, length: u64) -> Seen {
        if let Seen::Block(block) = seen.result {
            self.slots[slot.index()] = Some(Held { block, size, align, length });
            self.guard(block, size, seen);
        }
        seen.result
    }

    fn realloc(&mut self, slot: Slot, held: Held, size: u64, seen: &mut Outcome) -> Seen {
        self.ask(seen, |process| process.realloc(held.block, held.size, held.align, size));
        self.hold(slot, seen, size, held.align, held.length.min(size))
    }

    fn free(&mut self, slot: Slot) -> bool {
        let Some(held) = self.slots[slot.index()].take() else { return false };
        self.look_at_words();
        self.process.dealloc(held.block, held.size);
        self.left_words = self.process.words();
        true
    }

    fn write(&mut self, slot: Slot, seed: u16, length: u32) -> Seen {
        let Some(held) = &mut self.slots[slot.index()] else {
            D::write_to_nothing(&mut self.process);
            return Seen::Vacant;
        };
        let payload = Payload { seed, length: length.min(MAX_SHOWN_BYTES) };
        let fitting = u64::from(payload.length).min(held.size);
        held.length = held.length.max(fitting);
        let bytes = payload.bytes().unwrap_or_default();
        self.process.store(held.block, &bytes[..usize::try_from(fitting).unwrap_or(0)]);
        Seen::Done
    }

    fn write_end(&mut self, slot: Slot, seed: u16, length: u32) -> Seen {
        let Some(held) = &mut self.slots[slot.index()] else { return Seen::Vacant };
        let payload = Payload { seed, length: length.min(MAX_SHOWN_BYTES) };
        let fitting = u64::from(payload.length).min(held.size);
        if fitting != 0 {
            held.length = held.size;
        }
        let bytes = payload.bytes().unwrap_or_default();
        let place = held.block.wrapping_add(held.size - fitting);
        self.process.store(place, &bytes[..usize::try_from(fitting).unwrap_or(0)]);
        Seen::Done
    }

    fn push(&mut self, slot: Slot, seed: u16, length: u8, unit: Unit, seen: &mut Outcome) -> Seen {
        let bytes = u64::from(length) * unit.bytes();
        match self.slots[slot.index()] {
            None if bytes == 0 => return Seen::Done,
            None => {
                let size = unit.grown_capacity_bytes(0, bytes);
                self.ask(seen, |process| process.alloc(size, unit.bytes()));
                self.hold(slot, seen, size, unit.bytes(), 0);
            }
            Some(held) if held.length + bytes <= held.size => seen.result = Seen::Block(held.block),
            Some(held) => {
                let size = unit.grown_capacity_bytes(held.size, held.length + bytes);
                self.realloc(slot, held, size, seen);
            }
        }
        if let (Seen::Block(_), Some(held)) = (seen.result, &mut self.slots[slot.index()]) {
            let payload = Payload { seed, length: u32::try_from(bytes).unwrap_or(0) };
            let place = held.block.wrapping_add(held.length);
            held.length += bytes;
            self.process.store(place, payload.bytes().unwrap_or_default());
        }
        seen.result
    }

    fn raw_brk(&mut self, request: BrkRequest, seen: &mut Outcome) -> Seen {
        if D::CONTRACT.no_raw_brk {
            return Seen::Skipped;
        }
        self.redzone = (0, 0);
        let before = self.process.kernel.program_break;
        let argument = match request {
            BrkRequest::Query => 0,
            BrkRequest::Grow(bytes) => before.saturating_add(u64::from(bytes)),
            BrkRequest::GiveBack => match self.foreign.take() {
                Some((low, high)) if high == before => low,
                Some(_) | None => 0,
            },
            BrkRequest::At(address) => address.0,
        };
        // What is mapped already is not mapped anew: what the loader mapped, and the rest of the break's page.
        let fresh = self.process.kernel.first_unmapped(before, argument.min(GUEST_END));
        let result = self.process.brk(argument);
        let asks_only = argument < self.process.kernel.heap_start;
        if !asks_only && (result < argument || GUEST_END < result) {
            return Seen::Refused(result);
        }
        while let Some((low, high)) = self.filled.last_mut() {
            *high = result.min(*high);
            if *low < *high {
                break;
            }
            self.filled.pop();
        }
        if let BrkRequest::Grow(_) = request
            && before < result
        {
            if let Some(fresh) = fresh.filter(|fresh| *fresh < result) {
                let length = (result - fresh).min(u64::from(MAX_SHOWN_BYTES));
                let dirty = self.process.first_other_byte(fresh, length, 0);
                seen.dirty_byte = dirty.map(|offset| fresh + offset);
            }
            let filled = (result - before).min(u64::from(MAX_SHOWN_BYTES));
            self.foreign = Some((before, result));
            self.process.fill(before, filled, FOREIGN);
            self.filled.push((before, before + filled));
        }
        Seen::Break(result)
    }

    /// Looks whether the poison beyond the blocks is as it was, and poisons what now lies beyond them.
    fn guard(&mut self, block: u64, size: u64, seen: &mut Outcome) {
        let is_theirs = D::CONTRACT.trusts_fresh_pages || D::CONTRACT.books_in_heap;
        if matches!(D::BLOCK_ORIGIN, BlockOrigin::Mmap { .. }) || is_theirs {
            return;
        }
        let (low, high) = self.redzone;
        let end = block.saturating_add(size);
        // What the new block took of the poison is its own.
        let parts = [(low, high.min(block)), (low.max(end), high)];
        for (low, high) in parts.into_iter().filter(|(low, high)| low < high) {
            let high = self.process.kernel.first_unmapped(low, high).unwrap_or(high);
            let changed = self.process.first_other_byte(low, high - low, POISON);
            seen.stray_byte = seen.stray_byte.or(changed.map(|offset| low + offset));
        }
        self.top = self.top.max(end);
        let kernel = &self.process.kernel;
        // What others have is nobody else's to fill.
        let theirs = self.filled.iter().map(|(low, _)| *low).find(|low| self.top <= *low).unwrap_or(u64::MAX);
        let limit = self.top.saturating_add(REDZONE_BYTES).min(theirs);
        let limit = kernel.first_unmapped(self.top, limit).unwrap_or(limit);
        self.redzone = (self.top, limit);
        self.process.fill(self.top, limit - self.top, POISON);
    }
}
