//! The reference model. [`HeapModel`] says what it holds outcomes against. It knows no subject.

mod accept;
mod answers;
mod batches;
mod blocks;
mod marks;
mod occupied;
mod picture;
mod room;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // the arenas of tests are small
mod tests;
mod told;
mod words;

pub use told::ToldBlock;

use super::contents::SPARE_BYTES;
use super::laws::{ANSWER, BOOKS, CONTENTS, ERRNO, INVALID, KEPT, OVER_READ, REDZONE, USABLE, ZEROED};
use super::op::{MAX_WRITTEN_BYTES, Op, OpKind};
use super::operands::{SLOTS, Slot};
use super::outcome::{Outcome, Seen, View};
use super::setup::Setup;
use super::shown::Shown;
use super::{Heap, HeapContract};
use crate::allocation::Unit;
use crate::picture::{ByteRows, Picture};
use crate::vocabulary::DescribedHere;
use crate::{Depth, Divergence, Law, Model, StateMap, Verdict};
use answers::{Request, natural_align};
use blocks::{Block, Blocks};
use marks::Marks;
use room::Regions;

type Judged = Result<(), Verdict>;

/// The live blocks that an ordinary audit looks at.
const SAMPLE: usize = 4;

/// What blocks are aligned to without any padding, at most.
const PADDED_ALIGN: u64 = 16;

/// The reference model: the blocks that the program holds, what it wrote into them, and the room that is left.
///
/// It judges outcomes and never says where a block should lie. What the contract fixes beyond the sentences of its
/// [laws](super::laws):
///
/// - A request of 0 bytes is answered with null or with a block of its own; both are right. Rust has no such request:
///   the program asks for 1 byte.
/// - A heap with memory of its own may refuse any request above 1 GiB, and any once more than 1 GiB is live. What it
///   answered with a block is a block. After the system has refused it something, it may refuse anything in this trace.
/// - An arena may refuse what no gap between live blocks holds with the overhead, and the waste, that its contract
///   states.
/// - `realloc` to 0 bytes is not asked for: C17 leaves it to the implementation, C23 to nobody. The program asks for 1
///   byte.
/// - What an allocator might have to copy, or a heap with memory of its own to write with zeros, is at most 8 MiB a
///   call, and 64 KiB once that would come to more than 256 MiB with all live blocks. Of more the program does not ask.
///   Once more than 1 GiB is live, it asks such a heap for blocks of at most 64 KiB. What is larger than the contract
///   says it never asks for.
/// - `aligned_alloc` of a size that is no multiple of its alignment may be answered with null and EINVAL (C17,
///   7.22.3.1).
///
/// An outcome is judged in this order: form, bytes outside of regions, what the program had written, `errno`, the
/// answer, the new bytes. The place of a divergence is an address (aligned, inside, disjoint, redzone), an offset in a
/// block (contents, kept, zeroed, over_read), or a number of bytes.
#[derive(Debug, Clone, DescribedHere)]
pub struct HeapModel {
    setup: Setup,
    contract: HeapContract,
    regions: Regions,
    blocks: Blocks,
    marks: Marks,
    /// Whether the system has refused the heap something in this trace.
    system_refused: bool,
    /// Whether a block was freed in this trace, and whether one was aligned to more than any block of a malloc is.
    freed: bool,
    aligned: bool,
    /// The largest block of each alignment, by its exponent, the first time that nothing was live after something had
    /// been.
    first_largest: [Option<u64>; 64],
    /// The law that is not held against the op at hand.
    excused: Option<&'static str>,
    /// Before the op, for features: live blocks, and the address that was freed last.
    before: usize,
    last_freed: u64,
}

impl Model<Heap> for HeapModel {
    fn new(setup: &Setup, contract: &HeapContract) -> Self {
        HeapModel {
            setup: setup.clone(),
            contract: *contract,
            regions: Regions::new(setup),
            blocks: Blocks::new(),
            marks: Marks::new(),
            system_refused: false,
            freed: false,
            aligned: false,
            first_largest: [None; 64],
            excused: None,
            before: 0,
            last_freed: 0,
        }
    }

    fn reset(&mut self, setup: &Setup) {
        self.setup.clone_from(setup);
        self.regions.reset(setup);
        self.marks.reset(&self.blocks);
        self.blocks.clear();
        (self.system_refused, self.freed, self.aligned) = (false, false, false);
        self.first_largest = [None; 64];
        (self.before, self.last_freed) = (0, 0);
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

    fn accept(&mut self, op: &Op, seen: &Outcome, divergence: &Divergence) -> bool {
        self.take_accepted(op, seen, divergence)
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

    fn state_rows(&self, view: &View) -> Option<ByteRows> {
        picture::different_rows(self, &view.shown)
    }

    fn survey(&self, depth: Depth, view: &mut View) {
        view.wanted.clear();
        view.shown.clear();
        (view.stray_byte, view.live_blocks) = (None, None);
        let most = if depth == Depth::Full { SLOTS.into() } else { SAMPLE };
        view.wanted.extend(self.blocks.live().iter().take(most));
    }

    fn audit(&self, view: &View) -> Verdict {
        match self.judge_state(view) {
            Ok(()) => Verdict::Agree,
            Err(verdict) => verdict,
        }
    }

    fn features(&self, op: &Op, seen: &Outcome, sink: &mut StateMap<'_>) {
        let kind = op.kind() as usize;
        let this = kind * 8 + seen.result.class();
        let block = op.slot().and_then(|slot| self.blocks.get(slot));
        let magnitude = |bytes: u64| (64 - bytes.leading_zeros() as usize).min(31);
        let size = block.map_or_else(|| magnitude(op.asked_bytes().unwrap_or(0)), |block| magnitude(block.size));
        sink.hit(this * 16 + size.min(15));
        let live = magnitude(self.blocks.live().len() as u64).min(12);
        sink.hit(4096 + this * 4 + live / 4);
        let reuse = match block {
            Some(block) if block.address == self.last_freed => 1,
            Some(block) if block.address < self.last_freed => 2,
            Some(_) => 3,
            None => 0,
        };
        sink.hit(5120 + (kind * 4 + reuse) * 4 + (self.before % 4));
        let align = block.map_or(0, |block| block.address.trailing_zeros() as usize).min(15);
        sink.hit(6144 + kind * 16 + align);
        sink.hit(6656 + live * 32 + size);
        sink.hit(7168 + (kind * 2 + usize::from(self.system_refused)) * 4 + usize::from(self.freed) * 2);
    }
}

impl HeapModel {
    fn step(&mut self, op: &Op, seen: &Outcome) -> Judged {
        self.before = self.blocks.live().len();
        if seen.result == Seen::Skipped {
            return if !self.contract.asks(op) { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) };
        }
        self.system_refused |= seen.system_refused;
        if let Some(address) = seen.stray_byte {
            return Err(Verdict::diverge_at(&REDZONE, "memory", address));
        }
        match *op {
            Op::Malloc { slot, size } => self.get(slot, Request::of(Some(size.0)), seen),
            Op::Calloc { slot, count, size } => {
                let request = Request { zeroed: true, ..Request::of(count.0.checked_mul(size.0)) };
                self.get(slot, request, seen)
            }
            Op::PosixMemalign { slot, align, size } => {
                let invalid = !align.is_for_posix();
                if seen.result == Seen::Unaskable && invalid {
                    return self.free_first(slot, seen);
                }
                if (seen.result == Seen::Invalid) != invalid {
                    return Err(Verdict::diverge_at(&INVALID, "result", align.0));
                }
                if invalid {
                    return self.free_first(slot, seen);
                }
                self.get(slot, Request::aligned(size.0, align.0), seen)
            }
            Op::AlignedAlloc { slot, align, size } | Op::Memalign { slot, align, size } => {
                let request = Request { is_aligned_alloc: true, ..Request::aligned(size.0, align.bytes()) };
                self.get(slot, request, seen)
            }
            Op::Alloc { slot, size, align } => self.get(slot, Request::aligned(size.0, align.bytes()), seen),
            Op::AllocZeroed { slot, size, align } => {
                self.get(slot, Request { zeroed: true, ..Request::aligned(size.0, align.bytes()) }, seen)
            }
            Op::Relayout { slot, size, align, zeroed } => {
                self.change(slot, Request { zeroed, ..Request::aligned(size.0, align.bytes()) }, seen)
            }
            Op::Realloc { slot, size } => self.change(slot, self.resized(slot, Some(size.0)), seen),
            Op::Reallocarray { slot, count, size } => {
                self.change(slot, self.resized(slot, count.0.checked_mul(size.0)), seen)
            }
            Op::Free { slot } => {
                if self.blocks.get(slot).is_none() {
                    return expect(Seen::Vacant, seen);
                }
                expect(Seen::Done, seen)?;
                self.free_first(slot, seen)?;
                self.errno_kept(seen)
            }
            Op::FreeNull => {
                expect(Seen::Done, seen)?;
                self.errno_kept(seen)
            }
            Op::UsableSize { slot } => self.usable(slot, seen),
            Op::Write { slot, length } => {
                let Some(block) = self.blocks.get_mut(slot) else { return expect(Seen::Vacant, seen) };
                block.write(slot, seen.write_number, u64::from(length.min(MAX_WRITTEN_BYTES)).min(block.size));
                expect(Seen::Done, seen)
            }
            Op::Verify { slot } => {
                if self.blocks.get(slot).is_none() {
                    return expect(Seen::Vacant, seen);
                }
                expect(Seen::Done, seen)?;
                self.look(seen)
            }
            Op::PushString { slot, length } => self.push(slot, length, Unit::Byte, seen),
            Op::PushVec { slot, length } => self.push(slot, length, Unit::Word, seen),
            Op::Fill { slot, count, size } => self.fill(slot, count, size.0, seen),
            Op::Drain { slot, count, every } => self.drain(slot, count, every, seen),
            Op::FreeAll { .. } => self.free_all(seen),
            Op::Extend { bytes } => {
                let fits = self.regions.extend(&self.setup, bytes.into());
                expect(if fits { Seen::Done } else { Seen::Refused }, seen)
            }
            Op::AddRegion => {
                let adds = self.regions.add_second();
                expect(if adds { Seen::Done } else { Seen::Refused }, seen)
            }
            Op::Largest { align } => self.largest(align.exponent(), seen),
            Op::Trim | Op::ThreadStart => expect(Seen::Done, seen),
            Op::ThreadExit if seen.result == Seen::Vacant => Ok(()),
            Op::ThreadExit => expect(Seen::Done, seen),
            Op::Cycle { .. } => self.cycle(seen),
        }
    }

    /// A call that gets a block into a slot; the block that is there is freed first.
    #[inline]
    fn get(&mut self, slot: Slot, request: Request, seen: &Outcome) -> Judged {
        self.free_first(slot, seen)?;
        if self.is_too_much(None, request) {
            return expect(Seen::Vacant, seen);
        }
        let Some(address) = self.answered(request, None, seen)? else { return Ok(()) };
        if let (true, Some(offset)) = (request.zeroed, seen.nonzero)
            && !self.excuses(&ZEROED)
        {
            return Err(Verdict::diverge_at(&ZEROED, "block", offset));
        }
        self.put(slot, address, request.size.unwrap_or(0), request.align, seen.write_number);
        Ok(())
    }

    #[inline]
    fn put(&mut self, slot: Slot, address: u64, size: u64, align: Option<u64>, write_number: u64) {
        let align = align.unwrap_or_else(|| natural_align(size));
        let block = self.blocks.put(slot, address, size, align);
        block.fill(slot, write_number);
        self.regions.touch(&self.contract, address, address.saturating_add(size), align);
        self.aligned |= PADDED_ALIGN < align;
    }

    /// The block of a slot, if there is one, is freed: the program has looked at it before.
    #[inline]
    fn free_first(&mut self, slot: Slot, seen: &Outcome) -> Judged {
        if self.blocks.get(slot).is_none() {
            return Ok(());
        }
        self.look(seen)?;
        self.free(slot);
        Ok(())
    }

    #[inline]
    fn free(&mut self, slot: Slot) {
        if let Some(block) = self.blocks.take(slot) {
            self.marks.give(&self.blocks, block.address, block.end());
            self.freed = true;
            self.last_freed = block.address;
        }
    }

    /// Whether the bytes that the program looked at are those that it wrote.
    #[inline]
    fn look(&self, seen: &Outcome) -> Judged {
        self.look_at(&seen.shown, &CONTENTS, "bytes")
    }

    fn look_at(&self, shown: &Shown, law: &'static Law, field: &'static str) -> Judged {
        for (window, bytes) in shown.iter() {
            let Some(block) = self.blocks.get(window.slot) else { continue };
            if let Some(offset) = block.first_difference(window, bytes) {
                return Err(Verdict::diverge_at(law, field, offset));
            }
        }
        Ok(())
    }

    /// The request of a reallocation: in Rust the block keeps what its layout says, in C no alignment, and what the
    /// program was told that it has.
    fn resized(&self, slot: Slot, size: Option<u64>) -> Request {
        let is_rust = self.contract.has(OpKind::Relayout);
        let align = self.blocks.get(slot).map(|block| block.align).filter(|_| is_rust);
        let keeps_usable = !is_rust && !self.contract.realloc_forgets_usable;
        Request { align, keeps_usable, ..Request::of(size) }
    }

    /// Whether the program does not ask for so much.
    fn is_too_much(&self, old: Option<&Block>, request: Request) -> bool {
        let (old_size, size) = (old.map_or(0, |old| old.size), request.size.unwrap_or(0));
        let align = request.align.unwrap_or(1);
        self.contract.is_too_much(old_size, size, align, request.zeroed, self.blocks.live_bytes())
    }

    /// A call that changes a block's size.
    fn change(&mut self, slot: Slot, request: Request, seen: &Outcome) -> Judged {
        let Some(old) = self.blocks.get(slot).copied() else { return expect(Seen::Vacant, seen) };
        // A block of no bytes is not asked for: the program asks for one.
        let request = Request { size: request.size.map(|size| size.max(1)), ..request };
        if self.is_too_much(Some(&old), request) {
            return expect(Seen::Vacant, seen);
        }
        let Some(address) = self.answered(request, Some(slot), seen)? else {
            return self.look_at(&seen.shown, &KEPT, "old_bytes");
        };
        self.moved(slot, old, address, request, seen)?;
        self.settle(slot, request.align.unwrap_or(old.align), seen.write_number);
        Ok(())
    }

    /// A block that was resized has this alignment from now on, and is filled anew.
    fn settle(&mut self, slot: Slot, align: u64, write_number: u64) {
        if let Some(block) = self.blocks.get_mut(slot) {
            block.align = align;
            block.fill(slot, write_number);
            self.aligned |= PADDED_ALIGN < align;
        }
    }

    /// Judges what a reallocation kept, and moves the block.
    fn moved(&mut self, slot: Slot, old: Block, address: u64, request: Request, seen: &Outcome) -> Judged {
        let size = request.size.unwrap_or(0);
        let was = if request.keeps_usable { old.granted.max(old.size) } else { old.size };
        self.blocks.resize(slot, address, size, was.min(size));
        let align = request.align.unwrap_or(old.align);
        self.regions.touch(&self.contract, address, address.saturating_add(size), align);
        let Some(block) = self.blocks.get(slot) else { return Ok(()) };
        for (window, bytes) in seen.shown.iter().filter(|(window, _)| window.slot == slot) {
            if let Some(offset) = block.first_difference(window, bytes) {
                return Err(Verdict::diverge_at(&KEPT, "bytes", offset));
            }
            let is_spare = old.end() - old.address <= window.offset && u64::from(window.length) <= SPARE_BYTES;
            if is_spare
                && address != old.address
                && let Some(offset) = self.blocks.copied_along(slot, old.address, window, bytes)
            {
                return Err(Verdict::diverge_at(&OVER_READ, "bytes", offset));
            }
        }
        match seen.nonzero {
            Some(offset) if request.zeroed => Err(Verdict::diverge_at(&ZEROED, "block", offset)),
            Some(_) | None => Ok(()),
        }
    }

    fn push(&mut self, slot: Slot, length: u8, unit: Unit, seen: &Outcome) -> Judged {
        let bytes = u64::from(length) * unit.bytes();
        match self.blocks.get(slot).copied() {
            None if bytes == 0 => expect(Seen::Done, seen),
            None => {
                let size = unit.grown_capacity_bytes(0, bytes);
                self.get(slot, Request::aligned(size, unit.bytes()), seen)?;
                self.lengthen(slot, bytes);
                Ok(())
            }
            Some(block) if block.length + bytes <= block.size => {
                expect(Seen::Block(block.address), seen)?;
                self.lengthen(slot, bytes);
                Ok(())
            }
            Some(block) => {
                let size = unit.grown_capacity_bytes(block.size, block.length + bytes);
                self.change(slot, self.resized(slot, Some(size)), seen)?;
                if let Seen::Block(_) = seen.result {
                    self.lengthen(slot, bytes);
                }
                Ok(())
            }
        }
    }

    fn lengthen(&mut self, slot: Slot, bytes: u64) {
        if let Some(block) = self.blocks.get_mut(slot) {
            block.length += bytes;
        }
    }

    fn excuses(&self, law: &Law) -> bool {
        self.excused == Some(law.name)
    }

    fn errno_kept(&self, seen: &Outcome) -> Judged {
        let changed = seen.errno.is_some_and(|errno| errno != 0);
        if changed && !self.contract.free_changes_errno && !self.excuses(&ERRNO) {
            Err(Verdict::diverge(&ERRNO, "errno"))
        } else {
            Ok(())
        }
    }

    fn usable(&mut self, slot: Slot, seen: &Outcome) -> Judged {
        let Some(block) = self.blocks.get(slot).copied() else { return expect(Seen::Vacant, seen) };
        let Seen::Bytes(usable) = seen.result else { return Err(Verdict::diverge(&ANSWER, "result")) };
        if usable < block.size {
            return Err(Verdict::diverge_at(&USABLE, "result", usable));
        }
        let granted = block.granted.max(block.size);
        if self.contract.usable_is_a_hint || usable <= granted {
            return Ok(());
        }
        let end = block.address.checked_add(usable).filter(|end| self.may_end_at(block.address, *end));
        let Some(end) = end else { return Err(Verdict::diverge_at(&USABLE, "result", usable)) };
        self.marks.leave(&self.blocks, slot, block.address, block.end());
        if self.marks.take(&self.blocks, Some(slot), block.address, end).is_some() {
            return Err(Verdict::diverge_at(&USABLE, "result", usable));
        }
        if let Some(block) = self.blocks.get_mut(slot) {
            block.grant(slot, seen.write_number, usable);
        }
        Ok(())
    }

    fn judge_state(&self, view: &View) -> Judged {
        if let Some(address) = view.stray_byte {
            return Err(Verdict::diverge_at(&REDZONE, "memory", address));
        }
        self.look_at(&view.shown, &CONTENTS, "bytes")?;
        match view.live_blocks {
            Some(blocks) if blocks != self.blocks.live().len() as u64 => {
                Err(Verdict::diverge_at(&BOOKS, "live_blocks", blocks))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn expect(result: Seen, seen: &Outcome) -> Judged {
    if seen.result == result { Ok(()) } else { Err(Verdict::diverge(&ANSWER, "result")) }
}
