//! The program: it carries out ops on its variables, fills the blocks that it gets, and shows what it sees. It judges
//! nothing, and keeps nothing that the allocator could be asked for.

mod batches;

use crate::allocator::{Allocator, Answer, Change, Get, natural_align};
use crate::memory::{bytes_mut, first_other, load};
use crate::slots::{Held, Slots};
use memtwin_models::heap::contents::{END_BYTES, SPARE_BYTES, Stamp, filled};
use memtwin_models::heap::{
    Alignment, AnyAlignment, Heap, HeapContract, MAX_WRITTEN_BYTES, Op, Outcome, SLOTS, Seen, Setup, Shown, Slot, Unit,
    View, Window,
};
use memtwin_models::{Health, Subject, Unsupported};
use std::sync::atomic::{AtomicU64, Ordering};

/// Zeroed blocks are looked at whole up to so many bytes; of larger ones as many at either end.
const ZEROED_BYTES: usize = 1 << 20;

/// No op writes more often: two parts of each of 256 blocks.
const MOST_WRITES_OF_AN_OP: u64 = 1 << 10;
/// Numbers of writes that a program takes at once.
const WRITES_AT_ONCE: u64 = 1 << 14;
/// The numbers of writes that no program of this process has taken. Memory of an earlier trace, or of another program
/// on the same heap, may be seen again, and its stamps are not to be taken for one's own.
static NEXT_WRITES: AtomicU64 = AtomicU64::new(0);

/// The subject made of an allocator.
#[derive(Debug)]
pub struct Program<A: Allocator> {
    allocator: A,
    setup: Setup,
    contract: HeapContract,
    slots: Slots,
    /// The number of the next write, and where those end that are this program's.
    writes: u64,
    writes_end: u64,
    /// The thread that made the program: it never ends.
    first_thread: libc::pthread_t,
    /// How many cycles of the trace there were.
    cycles: u32,
    /// Room for the blocks of a cycle.
    cycled: Box<[*mut u8; 256]>,
    slots_in_order: Vec<Slot>,
}

impl<A: Allocator> Subject<Heap> for Program<A> {
    const NAME: &'static str = A::NAME;
    const HEALTH: Health = A::HEALTH;
    const CONTRACT: HeapContract = A::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Program::with(A::new(setup)?, A::CONTRACT, setup))
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.allocator.trace_ends();
        if A::FREED_BEFORE_RESET {
            self.for_live_slots(|program, slots| slots.iter().for_each(|slot| program.free(*slot)));
        }
        self.slots.clear();
        self.cycles = 0;
        self.setup == *setup && self.allocator.reset(setup)
    }

    #[inline]
    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        if self.writes_end - self.writes < MOST_WRITES_OF_AN_OP {
            self.writes = NEXT_WRITES.fetch_add(WRITES_AT_ONCE, Ordering::Relaxed);
            self.writes_end = self.writes + WRITES_AT_ONCE;
        }
        seen.write_number = self.writes;
        seen.result = self.carry_out(op, seen);
        seen.stray_byte = self.allocator.stray_byte(false);
        seen.system_refused = self.allocator.take_refusal();
    }

    fn view(&mut self, view: &mut View) {
        view.stray_byte = self.allocator.stray_byte(true);
        view.live_blocks = self.allocator.live_blocks();
        let View { wanted, shown, .. } = view;
        for slot in wanted.iter() {
            if let Some(held) = self.slots.get(*slot) {
                show(&self.allocator, *slot, held, held.granted, shown);
            }
        }
    }
}

/// Shows what the program wrote into a block, as far as it lies within this many bytes.
#[inline]
fn show<A: Allocator>(allocator: &A, slot: Slot, held: Held, within: usize, shown: &mut Shown) {
    for (start, length) in [(0, held.head), held.tail] {
        let length = length.min(within.saturating_sub(start));
        look(allocator, slot, held.block, (start, length), shown);
    }
}

#[inline]
fn look<A: Allocator>(allocator: &A, slot: Slot, block: *mut u8, part: (usize, usize), shown: &mut Shown) {
    let (start, length) = part;
    let at = block.wrapping_add(start);
    if length == 0 || !allocator.can_touch(at, length) {
        return;
    }
    #[allow(clippy::cast_possible_truncation)] // at most 64 KiB
    let room = shown.room(Window { slot, offset: start as u64, length: length as u32 });
    // SAFETY: the allocator answered that the bytes are the program's, and they lie where it may touch them.
    unsafe { load(at, room) };
}

impl<A: Allocator> Program<A> {
    /// The program over an allocator with this contract.
    #[must_use]
    pub fn with(allocator: A, contract: HeapContract, setup: &Setup) -> Self {
        Program {
            allocator,
            setup: setup.clone(),
            contract,
            slots: Slots::new(),
            writes: 0,
            writes_end: 0,
            first_thread: this_thread(),
            cycles: 0,
            cycled: Box::new([std::ptr::null_mut(); 256]),
            slots_in_order: Vec::with_capacity(SLOTS.into()),
        }
    }

    #[inline]
    fn carry_out(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        if !self.contract.has(op.kind()) && is_of_arenas(op) {
            return Seen::Skipped;
        }
        let size_of = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        match *op {
            Op::Malloc { slot, size } => self.get(slot, Get::Malloc { size: size_of(size.0) }, seen),
            Op::Calloc { slot, count, size } => {
                self.get(slot, Get::Calloc { count: size_of(count.0), size: size_of(size.0) }, seen)
            }
            Op::PosixMemalign { slot, align, size } => {
                self.get(slot, Get::PosixMemalign { align: size_of(align.0), size: size_of(size.0) }, seen)
            }
            Op::AlignedAlloc { slot, align, size } => {
                self.get(slot, Get::AlignedAlloc { align: bytes_of(align), size: size_of(size.0) }, seen)
            }
            Op::Memalign { slot, align, size } => {
                self.get(slot, Get::Memalign { align: bytes_of(align), size: size_of(size.0) }, seen)
            }
            Op::Alloc { slot, size, align } => {
                self.get(slot, Get::Alloc { size: size_of(size.0), align: bytes_of(align) }, seen)
            }
            Op::AllocZeroed { slot, size, align } => {
                self.get(slot, Get::AllocZeroed { size: size_of(size.0), align: bytes_of(align) }, seen)
            }
            Op::Relayout { slot, size, align, zeroed } => {
                let call = Change::Relayout { size: size_of(size.0).max(1), align: bytes_of(align), zeroed };
                self.change(slot, call, seen)
            }
            Op::Realloc { slot, size } => self.change(slot, Change::Realloc { size: size_of(size.0).max(1) }, seen),
            Op::Reallocarray { slot, count, size } => {
                // No bytes at all are not asked for: one is.
                let is_empty = count.0 == 0 || size.0 == 0;
                let (count, size) = if is_empty { (1, 1) } else { (size_of(count.0), size_of(size.0)) };
                self.change(slot, Change::Reallocarray { count, size }, seen)
            }
            Op::Free { slot } => {
                if !self.show_and_free(slot, seen) {
                    return Seen::Vacant;
                }
                seen.errno = self.allocator.errno_after_free();
                Seen::Done
            }
            Op::FreeNull => {
                if !self.allocator.free_null() {
                    return Seen::Skipped;
                }
                seen.errno = self.allocator.errno_after_free();
                Seen::Done
            }
            Op::UsableSize { slot } => self.usable_size(slot),
            Op::Write { slot, length } => self.write(slot, length),
            Op::Verify { slot } => match self.slots.get(slot) {
                Some(held) => {
                    show(&self.allocator, slot, held, held.granted, &mut seen.shown);
                    Seen::Done
                }
                None => Seen::Vacant,
            },
            Op::PushString { slot, length } => self.push(slot, length, Unit::Byte, seen),
            Op::PushVec { slot, length } => self.push(slot, length, Unit::Word, seen),
            Op::Fill { slot, count, size } => self.fill_slots(slot, count, size_of(size.0).max(1), seen),
            Op::Drain { slot, count, every } => self.drain(slot, count, every, seen),
            Op::FreeAll { order } => self.free_all(order, seen),
            Op::Extend { bytes } => done_or_refused(self.allocator.extend(&self.setup, bytes as usize)),
            Op::AddRegion => done_or_refused(self.allocator.add_region(&self.setup)),
            Op::Largest { align } => self.largest(bytes_of(align)),
            Op::Trim => {
                self.allocator.trim();
                Seen::Done
            }
            Op::Cycle { count, size, by } => self.cycle(usize::from(count.max(1)), size_of(size.0).max(1), by, seen),
            Op::ThreadStart => Seen::Done,
            Op::ThreadExit if this_thread() == self.first_thread => Seen::Vacant,
            Op::ThreadExit => {
                self.allocator.thread_exits();
                Seen::Done
            }
        }
    }

    /// A call that gets a block into a slot; the block that is there is freed first.
    #[inline]
    fn get(&mut self, slot: Slot, call: Get, seen: &mut Outcome) -> Seen {
        self.show_and_free(slot, seen);
        let (size, align, zeroed) = match call {
            // Rust's heaps are told the layout again when the block is freed.
            Get::Malloc { size } => (size, natural_align(size), false),
            Get::Calloc { count, size } => (count.wrapping_mul(size), natural_align(count.wrapping_mul(size)), true),
            Get::PosixMemalign { align, size } | Get::AlignedAlloc { align, size } | Get::Memalign { align, size } => {
                (size, align, false)
            }
            Get::Alloc { size, align } => (size, align, false),
            Get::AllocZeroed { size, align } => (size, align, true),
        };
        let overflows = matches!(call, Get::Calloc { count, size } if count.checked_mul(size).is_none());
        let is_invalid = matches!(call, Get::PosixMemalign { align, .. } if !AnyAlignment(align as u64).is_for_posix());
        if !overflows && !is_invalid && self.is_too_much(0, size, align, zeroed) {
            return Seen::Vacant;
        }
        let answer = self.allocator.get(call);
        seen.errno = self.allocator.errno();
        if let Answer::Block(block) = answer
            && is_possible(size)
        {
            if zeroed {
                seen.nonzero = self.first_nonzero(block, 0, size);
            }
            self.slots.put(slot, block, size, align);
            self.fill(slot);
        }
        self.seen_of(answer)
    }

    /// Whether the program does not ask for so much.
    #[inline]
    fn is_too_much(&self, old_size: usize, size: usize, align: usize, zeroed: bool) -> bool {
        self.contract.is_too_much(old_size as u64, size as u64, align as u64, zeroed, self.slots.live_bytes())
    }

    #[inline]
    fn seen_of(&self, answer: Answer) -> Seen {
        match answer {
            Answer::Block(block) => Seen::Block(self.allocator.nominal(block)),
            Answer::Null => Seen::Null,
            Answer::Invalid => Seen::Invalid,
            Answer::Unaskable => Seen::Unaskable,
            Answer::Skipped => Seen::Skipped,
        }
    }

    fn first_nonzero(&self, block: *mut u8, from: usize, to: usize) -> Option<u64> {
        let length = to.saturating_sub(from);
        let part = |start: usize, length: usize| {
            let at = block.wrapping_add(start);
            if !self.allocator.can_touch(at, length) {
                return None;
            }
            // SAFETY: the allocator answered that the bytes are the program's, and they lie where it may touch them.
            unsafe { first_other(at, length, 0) }.map(|offset| (start + offset) as u64)
        };
        if length <= ZEROED_BYTES {
            return part(from, length);
        }
        part(from, ZEROED_BYTES).or_else(|| part(to - ZEROED_BYTES, ZEROED_BYTES))
    }

    /// Fills a new block: all of a small one, the ends of a large one.
    #[inline]
    fn fill(&mut self, slot: Slot) {
        let held = *self.slots.get_mut(slot);
        #[allow(clippy::cast_possible_truncation)] // not above the size
        let (head, tail) = {
            let (head, tail) = filled(held.size as u64);
            (head as usize, tail as usize)
        };
        self.store(slot, held.block, (0, head));
        self.store(slot, held.block, (tail, held.size - tail));
        let held = self.slots.get_mut(slot);
        (held.head, held.tail) = (head, (tail, held.size - tail));
    }

    /// Writes a pattern, the next one.
    #[inline]
    fn store(&mut self, slot: Slot, block: *mut u8, part: (usize, usize)) {
        let stamp = Stamp::new(self.writes, slot.index());
        self.writes += 1;
        let (start, length) = part;
        let at = block.wrapping_add(start);
        if length != 0 && self.allocator.can_touch(at, length) {
            // SAFETY: the allocator answered that the bytes are the program's, and they lie where it may touch them.
            stamp.fill(unsafe { bytes_mut(at, length) });
        }
    }

    #[inline]
    fn show_and_free(&mut self, slot: Slot, seen: &mut Outcome) -> bool {
        let Some(held) = self.slots.get(slot) else { return false };
        show(&self.allocator, slot, held, held.granted, &mut seen.shown);
        self.free(slot);
        true
    }

    #[inline]
    fn free(&mut self, slot: Slot) {
        if let Some(held) = self.slots.take(slot) {
            // SAFETY: the block was in the slot, and is no more.
            unsafe { self.allocator.free(held.live()) };
        }
    }

    fn change(&mut self, slot: Slot, call: Change, seen: &mut Outcome) -> Seen {
        let Some(held) = self.slots.get(slot) else { return Seen::Vacant };
        let wanted = match call {
            Change::Realloc { size } | Change::Relayout { size, .. } => size,
            // A product that overflows is refused.
            Change::Reallocarray { count, size } => count.checked_mul(size).unwrap_or(0),
        };
        let (align, zeroed) = match call {
            Change::Relayout { align, zeroed, .. } => (align, zeroed),
            Change::Realloc { .. } | Change::Reallocarray { .. } => (held.align, false),
        };
        if self.is_too_much(held.size, wanted, align, zeroed) {
            return Seen::Vacant;
        }
        // SAFETY: the block is in the slot.
        let answer = unsafe { self.allocator.change(held.live(), call) };
        seen.errno = self.allocator.errno();
        let Answer::Block(block) = answer else {
            show(&self.allocator, slot, held, held.granted, &mut seen.shown);
            return self.seen_of(answer);
        };
        let (size, align, zeroed) = match call {
            Change::Realloc { size } => (size, held.align, false),
            Change::Reallocarray { count, size } => (count.wrapping_mul(size), held.align, false),
            Change::Relayout { size, align, zeroed } => (size, align, zeroed),
        };
        if !is_possible(size) {
            return self.seen_of(answer);
        }
        let was = if self.contract.realloc_forgets_usable { held.size } else { held.granted };
        let mut moved = held;
        moved.block = block;
        show(&self.allocator, slot, moved, was.min(size), &mut seen.shown);
        if held.granted < size {
            #[allow(clippy::cast_possible_truncation)] // 128
            let spare = (size - held.granted).min(SPARE_BYTES as usize);
            look(&self.allocator, slot, block, (held.granted, spare), &mut seen.shown);
        }
        if zeroed {
            // What it was told to have beyond the old size may be kept or zeroed; of no bytes one was asked for.
            seen.nonzero = self.first_nonzero(block, held.granted.max(1), size);
        }
        self.slots.change(slot, block, size, align);
        self.fill(slot);
        self.seen_of(answer)
    }

    fn usable_size(&mut self, slot: Slot) -> Seen {
        let Some(held) = self.slots.get(slot) else { return Seen::Vacant };
        let Some(usable) = self.allocator.usable_size(held.live()) else { return Seen::Skipped };
        if held.granted < usable && !self.contract.usable_is_a_hint {
            #[allow(clippy::cast_possible_truncation)] // 128
            let start = held.granted.max(usable.saturating_sub(END_BYTES as usize));
            self.store(slot, held.block, (start, usable - start));
            let held = self.slots.get_mut(slot);
            (held.granted, held.tail) = (usable, (start, usable - start));
        }
        Seen::Bytes(usable as u64)
    }

    fn write(&mut self, slot: Slot, length: u32) -> Seen {
        let Some(held) = self.slots.get(slot) else { return Seen::Vacant };
        let length = (length.min(MAX_WRITTEN_BYTES) as usize).min(held.size);
        self.store(slot, held.block, (0, length));
        let held = self.slots.get_mut(slot);
        held.head = length;
        if held.tail.0 < length {
            held.tail = (0, 0);
        }
        Seen::Done
    }

    fn push(&mut self, slot: Slot, length: u8, unit: Unit, seen: &mut Outcome) -> Seen {
        let bytes = u64::from(length) * unit.bytes();
        let size_of = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let unit_bytes = size_of(unit.bytes());
        let result = match self.slots.get(slot) {
            None if bytes == 0 => return Seen::Done,
            None => {
                let size = size_of(unit.grown_capacity_bytes(0, bytes));
                self.get(slot, Get::Alloc { size, align: unit_bytes }, seen)
            }
            Some(held) if held.length as u64 + bytes <= held.size as u64 => {
                Seen::Block(self.allocator.nominal(held.block))
            }
            Some(held) => {
                let size = size_of(unit.grown_capacity_bytes(held.size as u64, held.length as u64 + bytes));
                self.change(slot, Change::Realloc { size }, seen)
            }
        };
        if let Seen::Block(_) = result {
            self.slots.get_mut(slot).length += size_of(bytes);
        }
        result
    }
}

/// Whether a block may have this size (C17 through `PTRDIFF_MAX`, Rust's `Layout`). One that was answered all the same
/// is told, and not touched: it is not there.
const fn is_possible(size: usize) -> bool {
    size <= isize::MAX as usize
}

fn this_thread() -> libc::pthread_t {
    // SAFETY: it has no conditions.
    unsafe { libc::pthread_self() }
}

/// The ops that only arenas can carry out.
const fn is_of_arenas(op: &Op) -> bool {
    matches!(op, Op::Extend { .. } | Op::AddRegion | Op::Largest { .. } | Op::Cycle { .. })
}

const fn done_or_refused(done: Option<bool>) -> Seen {
    match done {
        Some(true) => Seen::Done,
        Some(false) => Seen::Refused,
        None => Seen::Skipped,
    }
}

fn bytes_of(align: Alignment) -> usize {
    usize::try_from(align.bytes()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arena, Global, GlobalHeap};
    use memtwin_models::heap::Size;
    use std::alloc::System;

    struct Host;

    impl GlobalHeap for Host {
        type Allocator = System;
        const NAME: &'static str = "host";

        fn new() -> System {
            System
        }
    }

    #[test]
    fn programs_on_one_heap_never_write_the_same() {
        let setup = Setup::flat(4096);
        let op = Op::Alloc { slot: Slot::new_folded(0), size: Size(64), align: Alignment::from_exponent_folded(3) };
        let number = |program: &mut Program<Arena<Global<Host>>>| {
            let mut seen = Outcome::default();
            program.apply(&op, &mut seen);
            seen.write_number
        };
        let mut numbers = Vec::new();
        let (mut first, mut second) = (Program::new(&setup).unwrap(), Program::new(&setup).unwrap());
        for _ in 0..3 {
            numbers.extend([number(&mut first), number(&mut second)]);
            assert!(first.reset(&setup) && second.reset(&setup));
        }
        drop(first);
        numbers.push(number(&mut Program::new(&setup).unwrap()));
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "{numbers:?}");
    }
}
