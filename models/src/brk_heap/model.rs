//! The reference model. [`BrkHeapModel`] says what it holds outcomes against. It knows no subject.

mod blocks;
mod kernel_twin;
mod neighbour;
mod picture;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // the heaps of tests are small
mod tests;
mod words;

use super::laws::{
    ALIGNED, ANSWER, BRK, CONTENTS, DISJOINT, FRESH, INSIDE, LEAK, MAPPED, NEIGHBOUR, ORDER, REALLOC, REDZONE, REFUSAL,
    REGISTERS, UNMAPPED, WORDS, ZEROED,
};
use super::op::MAX_SHOWN_BYTES;
use super::{
    BrkHeap, BrkHeapContract, BrkRequest, Op, Outcome, PAGE_BYTES, STACK_LOW, Seen, Setup, Size, Slot, Unit, View,
};
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Law, Model, StateMap, Verdict};
use blocks::{Block, Blocks};
use kernel_twin::{Answered, KernelTwin};
use neighbour::Neighbours;

type Judged = Result<(), Verdict>;

/// The reference model: the blocks that the program holds, what it put into them, and a twin of the kernel's books.
///
/// It judges outcomes and refuses to predict where a block lies. What the contract fixes beyond the sentences of its
/// [laws](super::laws):
///
/// - A request that cannot fit between the heap's start and the stack overflows: it is answered with null. Any other
///   null needs a system call that the kernel rightly refused during the op.
/// - A request of no bytes gets a block like any other, unless the kernel refuses it. A mapping of no bytes is refused
///   (man 2 mmap).
/// - `brk` grants what the frames suffice for and what ends below the stack. It may move the break down; below the
///   first break it only answers, and who asks for no more than the present break gets no more. What another user of
///   `brk` gets when it moves the break up is its own until the break falls below it; an allocator that moves the break
///   down over it breaks the law. The other user's moving the break down into the heap makes the rest moot.
/// - A child's break is its parent's, and so is everything else. A new image has the heap of a new process.
/// - Where a block lies beyond the break, or on an unmapped page, no program sees before it touches the block: that is
///   a fault when touched, and a broken state law at the audit.
///
/// An outcome is judged in this order: form, system calls, bytes outside of blocks, the answer, the bytes of the block.
/// The place of a divergence is a guest address, an offset in the block (zeroed, contents, realloc), or a register's
/// number.
#[derive(Debug, Clone, DescribedHere)]
pub struct BrkHeapModel {
    setup: Setup,
    contract: BrkHeapContract,
    kernel: KernelTwin,
    blocks: Blocks,
    /// The end of what the kernel granted to the allocator last.
    granted_end: u64,
    /// The break that the allocator was told last: its words rest on it, even where nothing was granted.
    told_break: u64,
    neighbours: Neighbours,
    /// Whether a call of the op was refused.
    refused: bool,
    /// Whether a call of the op was granted.
    was_granted: bool,
    /// How many blocks were live before the op, for features.
    before: usize,
}

impl Model<BrkHeap> for BrkHeapModel {
    fn new(setup: &Setup, contract: &BrkHeapContract) -> Self {
        BrkHeapModel {
            setup: setup.clone(),
            contract: *contract,
            kernel: KernelTwin::new(setup),
            blocks: Blocks::default(),
            granted_end: 0,
            told_break: 0,
            neighbours: Neighbours::new(),
            refused: false,
            was_granted: false,
            before: 0,
        }
    }

    fn reset(&mut self, setup: &Setup) {
        self.setup.clone_from(setup);
        self.begin_image();
        self.before = 0;
    }

    #[inline]
    fn arrange(&self, _op: &Op, seen: &mut Outcome) {
        // Skipped passes only where a contract says so, and nothing of the op before can be taken for an answer.
        seen.clear();
    }

    #[inline]
    fn judge(&mut self, op: &Op, seen: &Outcome) -> Verdict {
        match self.step(op, seen) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn allowed(&self, op: &Op) -> String {
        words::allowed(self, op)
    }

    fn picture(&self, op: Option<&Op>) -> Picture {
        picture::picture(self, op)
    }

    fn byte_rows(&self, op: &Op, seen: &Outcome) -> Option<ByteRows> {
        picture::byte_rows(self, op, seen)
    }

    fn survey(&self, depth: Depth, view: &mut View) {
        *view = View { is_full: depth == Depth::Full, ..View::default() };
    }

    fn audit(&self, view: &View) -> Verdict {
        match self.judge_state(view) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        let this = op.kind() as usize * 8 + seen.result.class();
        let size = op.slot().and_then(|slot| self.blocks.get(slot)).map_or(0, |block| 64 - block.size.leading_zeros());
        let calls = seen.calls.len().min(3);
        sink.hit(this * 32 + (size as usize).min(31));
        sink.hit(3328 + this * 4 + calls);
        sink.hit(3744 + (self.blocks.live() * 4 + calls) * 2 + usize::from(self.refused));
        sink.hit(4096 + this * 16 + self.before % 16);
    }
}

impl BrkHeapModel {
    /// What a new process is.
    fn begin_image(&mut self) {
        self.kernel = KernelTwin::new(&self.setup);
        self.blocks.clear();
        self.neighbours.clear();
        self.granted_end = 0;
        self.told_break = 0;
        self.refused = false;
    }

    fn step(&mut self, op: &Op, seen: &Outcome) -> Judged {
        self.before = self.blocks.live();
        if seen.result == Seen::Skipped {
            let may_skip = match op {
                Op::RawBrk { .. } | Op::VerifyRawBrk => self.contract.no_raw_brk,
                Op::Fork | Op::Exec => self.contract.no_processes,
                Op::ReallocAligned { .. } => self.contract.no_new_alignment,
                Op::Alloc { .. }
                | Op::AllocZeroed { .. }
                | Op::Realloc { .. }
                | Op::Dealloc { .. }
                | Op::Write { .. }
                | Op::Verify { .. }
                | Op::WriteEnd { .. }
                | Op::VerifyEnd { .. }
                | Op::PushString { .. }
                | Op::PushVec { .. } => false,
            };
            return if may_skip { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) };
        }
        if let Op::RawBrk { request } = *op {
            return self.raw_brk(request, seen);
        }
        self.take_calls(seen)?;
        if let Some(address) = seen.stray_byte.filter(|_| !self.contract.books_in_heap) {
            return Err(Verdict::diverge_at(&REDZONE, "state", address));
        }
        match *op {
            Op::Alloc { slot, size: Size(size), align } | Op::AllocZeroed { slot, size: Size(size), align } => {
                self.blocks.free(slot);
                if let Some(address) = self.granted(seen.result, size, align.bytes(), None)? {
                    let zeroed = matches!(op, Op::AllocZeroed { .. });
                    if let (true, Some(offset)) = (zeroed, seen.nonzero) {
                        return Err(Verdict::diverge_at(&ZEROED, "block", offset));
                    }
                    let block = self.blocks.put(slot, address, size, align.bytes());
                    if zeroed {
                        block.zero();
                    }
                }
                Ok(())
            }
            Op::Realloc { slot, size: Size(size) } => {
                let Some(align) = self.blocks.get(slot).map(|block| block.align) else { return vacant(seen) };
                self.realloc(slot, size, align, seen)
            }
            Op::ReallocAligned { slot, size: Size(size), align } => {
                if self.blocks.get(slot).is_none() {
                    return vacant(seen);
                }
                self.realloc(slot, size, align.bytes(), seen)
            }
            Op::Dealloc { slot } => {
                if self.blocks.get(slot).is_none() {
                    return vacant(seen);
                }
                self.blocks.free(slot);
                expect(Seen::Done, seen)
            }
            Op::Write { slot, seed, length } => {
                let Some(block) = self.blocks.get_mut(slot) else { return vacant(seen) };
                block.write(seed, length.min(MAX_SHOWN_BYTES));
                expect(Seen::Done, seen)
            }
            Op::Verify { slot } => {
                let Some(block) = self.blocks.get(slot) else { return vacant(seen) };
                expect(Seen::Done, seen)?;
                compare(block, 0, block.size.min(u64::from(MAX_SHOWN_BYTES)), seen, &CONTENTS)
            }
            Op::WriteEnd { slot, seed, length } => {
                let Some(block) = self.blocks.get_mut(slot) else { return vacant(seen) };
                block.write_end(seed, length.min(MAX_SHOWN_BYTES));
                expect(Seen::Done, seen)
            }
            Op::VerifyEnd { slot } => {
                let Some(block) = self.blocks.get(slot) else { return vacant(seen) };
                expect(Seen::Done, seen)?;
                let length = block.size.min(u64::from(MAX_SHOWN_BYTES));
                compare(block, block.size - length, length, seen, &CONTENTS)
            }
            Op::PushString { slot, seed, length } => self.push(slot, seed, length, Unit::Byte, seen),
            Op::PushVec { slot, seed, length } => self.push(slot, seed, length, Unit::Word, seen),
            Op::VerifyRawBrk => {
                expect(Seen::Done, seen)?;
                self.judge_foreign(seen.foreign_byte, "bytes")
            }
            Op::Fork => expect(Seen::Done, seen),
            Op::Exec => {
                self.begin_image();
                expect(Seen::Done, seen)
            }
            Op::RawBrk { .. } => Ok(()),
        }
    }

    fn realloc(&mut self, slot: Slot, size: u64, align: u64, seen: &Outcome) -> Judged {
        let Some(block) = self.move_block(slot, size, align, seen.result)? else { return Ok(()) };
        let kept = block.known().min(u64::from(MAX_SHOWN_BYTES));
        compare(block, 0, kept, seen, &REALLOC)
    }

    /// What another user of `brk` found changed.
    fn judge_foreign(&self, changed: Option<u64>, field: &'static str) -> Judged {
        match changed.filter(|_| !self.contract.sole_user_of_brk) {
            Some(address) => Err(Verdict::diverge_at(&NEIGHBOUR, field, address)),
            None => Ok(()),
        }
    }

    fn take_calls(&mut self, seen: &Outcome) -> Judged {
        (self.refused, self.was_granted) = (false, false);
        let mut told = None;
        for call in &seen.calls {
            match self.kernel.answer(call) {
                Answered::Granted { end } => {
                    self.granted_end = end.unwrap_or(self.granted_end);
                    self.was_granted = true;
                }
                Answered::Told => told = Some(self.kernel.program_break()),
                Answered::Refused => self.refused = true,
                Answered::Wrong => return Err(Verdict::diverge_at(&BRK, "calls", call.argument)),
            }
        }
        // What was told before a refusal is of no use, but to a heap that has nothing else.
        if let Some(told) = told.filter(|_| !self.refused || self.told_break == 0) {
            self.told_break = told;
        }
        if self.kernel.program_break() < self.neighbours.end() {
            let lowered = self.kernel.program_break();
            self.neighbours.end_at(lowered);
            return self.judge_foreign(Some(lowered), "calls");
        }
        Ok(())
    }

    fn raw_brk(&mut self, request: BrkRequest, seen: &Outcome) -> Judged {
        let [call] = seen.calls[..] else { return Err(Verdict::diverge(&ANSWER, "calls")) };
        let asked = match request {
            BrkRequest::Query => call.argument == 0,
            BrkRequest::Grow(bytes) => call.argument == self.kernel.program_break().saturating_add(u64::from(bytes)),
            BrkRequest::GiveBack => call.argument <= self.kernel.program_break(),
            BrkRequest::At(address) => call.argument == address.0,
        };
        if !asked {
            return Err(Verdict::diverge_at(&ANSWER, "calls", call.argument));
        }
        let before = self.kernel.program_break();
        let answered = self.kernel.answer(&call);
        self.refused = answered == Answered::Refused;
        let fits = match seen.result {
            Seen::Break(result) => result == call.result && answered != Answered::Refused,
            Seen::Refused(result) => result == call.result && answered == Answered::Refused,
            Seen::Skipped | Seen::Block(_) | Seen::Null | Seen::Done | Seen::Vacant => {
                return Err(Verdict::diverge(&ANSWER, "result"));
            }
        };
        if answered == Answered::Wrong || !fits {
            return Err(Verdict::diverge_at(&BRK, "result", call.argument));
        }
        if let Some(address) = seen.dirty_byte.filter(|_| !self.setup.dirty_pages) {
            return Err(Verdict::diverge_at(&FRESH, "page", address));
        }
        let program_break = self.kernel.program_break();
        if before < program_break {
            self.neighbours.add(before, program_break);
        }
        self.neighbours.end_at(program_break);
        if program_break < self.granted_end.max(self.told_break) {
            return Err(Verdict::Moot("another user of brk gave back memory that the heap rests on"));
        }
        Ok(())
    }

    /// Where blocks end at the latest. Mappings lie where they please.
    fn blocks_end(&self) -> u64 {
        if self.contract.blocks_from_mmap { STACK_LOW } else { self.setup.stack_low.0 }
    }

    /// Whether a block of this size can lie between the heap's start and the stack at all.
    fn fits(&self, size: u64, align: u64) -> bool {
        let aligned = self.kernel.heap_start().checked_next_multiple_of(align);
        let end = aligned.and_then(|start| start.checked_add(size)?.checked_add(self.contract.overhead_bytes));
        end.is_some_and(|end| end <= self.blocks_end())
    }

    /// Judges the answer to a request for memory; the address if there is one. The block in slot `moving` is given up.
    fn granted(&self, result: Seen, size: u64, align: u64, moving: Option<Slot>) -> Result<Option<u64>, Verdict> {
        let fits = self.fits(size, align);
        let address = match result {
            Seen::Null if self.refused || !fits => return Ok(None),
            Seen::Block(address) if fits => address,
            // The kernel gave all that it was asked for, and it was too little.
            Seen::Null if self.was_granted => return Err(Verdict::diverge(&REFUSAL, "growth")),
            Seen::Null | Seen::Block(_) => return Err(Verdict::diverge(&REFUSAL, "result")),
            Seen::Skipped | Seen::Done | Seen::Vacant | Seen::Break(_) | Seen::Refused(_) => {
                return Err(Verdict::diverge(&ANSWER, "result"));
            }
        };
        let end = address.checked_add(size);
        if address < self.kernel.heap_start() || end.is_none_or(|end| self.blocks_end() < end) {
            return Err(Verdict::diverge_at(&INSIDE, "block", address));
        }
        if !address.is_multiple_of(align) {
            return Err(Verdict::diverge_at(&ALIGNED, "block", address));
        }
        if let Some(other) = self.blocks.overlapping(moving, address, size) {
            return Err(Verdict::diverge_at(&DISJOINT, "block", other));
        }
        if let Some(theirs) = self.neighbours.first_in(address, size).filter(|_| !self.contract.sole_user_of_brk) {
            return Err(Verdict::diverge_at(&NEIGHBOUR, "block", theirs));
        }
        Ok(Some(address))
    }

    /// Judges a reallocation and moves the block.
    fn move_block(&mut self, slot: Slot, size: u64, align: u64, result: Seen) -> Result<Option<&Block>, Verdict> {
        let Some(address) = self.granted(result, size, align, Some(slot))? else { return Ok(None) };
        Ok(self.blocks.resize(slot, address, size, align))
    }

    fn push(&mut self, slot: Slot, seed: u16, length: u8, unit: Unit, seen: &Outcome) -> Judged {
        let bytes = u64::from(length) * unit.bytes();
        let (address, size, align, known) = match self.blocks.get(slot) {
            Some(block) => (Some(block.address), block.size, block.align, block.known()),
            None => (None, 0, unit.bytes(), 0),
        };
        let needed = known + bytes;
        match address {
            None if bytes == 0 => return expect(Seen::Done, seen),
            None => {
                let size = unit.grown_capacity_bytes(0, needed);
                let Some(address) = self.granted(seen.result, size, align, None)? else { return Ok(()) };
                self.blocks.put(slot, address, size, align);
            }
            Some(address) if needed <= size => expect(Seen::Block(address), seen)?,
            Some(_) => {
                let size = unit.grown_capacity_bytes(size, needed);
                if self.move_block(slot, size, align, seen.result)?.is_none() {
                    return Ok(());
                }
            }
        }
        if let Some(block) = self.blocks.get_mut(slot) {
            block.append(seed, bytes);
        }
        Ok(())
    }

    fn judge_state(&self, view: &View) -> Judged {
        if view.changed_words.is_some() {
            return Err(Verdict::diverge(&WORDS, "state"));
        }
        if let Some(register) = view.clobbered_register {
            return Err(Verdict::diverge_at(&REGISTERS, "state", u64::from(register)));
        }
        let start = self.kernel.heap_start();
        let used = view.words.filter(|(head, end)| (*head, *end) != (0, 0));
        if let (Some((head, end)), Some(program_break)) = (used, view.program_break) {
            let borders = [start, head, end, program_break];
            if let Some(pair) = borders.windows(2).find(|pair| pair[1] < pair[0]) {
                return Err(Verdict::diverge_at(&ORDER, "state", pair[1]));
            }
            let beyond = self.blocks.iter().find(|block| end < block.address + block.size);
            if let Some(block) = beyond.filter(|_| !self.contract.blocks_from_mmap) {
                return Err(Verdict::diverge_at(&INSIDE, "state", block.address));
            }
        }
        if let Some(page) = view.unmapped_page {
            return Err(Verdict::diverge_at(&MAPPED, "state", page));
        }
        if let Some(page) = view.mapped_page {
            return Err(Verdict::diverge_at(&UNMAPPED, "state", page));
        }
        if view.program_break.is_some_and(|shown| shown != self.kernel.program_break()) {
            return Err(Verdict::diverge(&BRK, "state"));
        }
        self.judge_foreign(view.foreign_byte, "state")?;
        let live = self.blocks.iter().map(|block| block.size.div_ceil(PAGE_BYTES)).sum();
        let expected = if self.contract.blocks_from_mmap { live } else { 0 };
        if view.mmapped_pages.is_some_and(|pages| pages != expected) {
            return Err(Verdict::diverge(&LEAK, "state"));
        }
        Ok(())
    }
}

fn expect(result: Seen, seen: &Outcome) -> Judged {
    if seen.result == result { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) }
}

fn vacant(seen: &Outcome) -> Judged {
    expect(Seen::Vacant, seen)
}

/// Holds the bytes that the program looked at against what is known of the block.
fn compare(block: &Block, start: u64, length: u64, seen: &Outcome, law: &'static Law) -> Judged {
    if u64::from(seen.shown_bytes) != length {
        return Err(Verdict::diverge(&ANSWER, "bytes"));
    }
    match block.first_difference(start, seen.shown()) {
        None => Ok(()),
        Some(offset) => Err(Verdict::diverge_at(law, "bytes", offset)),
    }
}
