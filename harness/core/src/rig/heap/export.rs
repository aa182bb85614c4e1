//! Heap traces as tests that need nothing of memtwin: calls of `GlobalAlloc`, or a program in C. What the program of a
//! trace does besides (it fills its blocks, and looks at them before it gives them up) is in either.

use super::c_program;
use crate::rig::rust_test::heap::{Call, body};
use crate::rig::rust_test::{NoTest, Room, TestBody};
use crate::rig::{About, Export, Words as _};
use memtwin_models::Law;
use memtwin_models::heap::{Heap, MAX_WRITTEN_BYTES, Op, Order, Setup, Slot, Unit, laws};
use std::collections::BTreeMap;

impl Export for Heap {
    // A `GlobalAlloc` may answer null, has no regions and tells nothing.
    const UNSHOWN_LAWS: &'static [Law] = &[
        laws::REFUSAL,
        laws::INVALID,
        laws::ERRNO,
        laws::INSIDE,
        laws::REDZONE,
        laws::USABLE,
        laws::OVER_READ,
        laws::LEAK,
        laws::BOUNDED,
        laws::BOOKS,
    ];

    fn rust_test(setup: &Setup, ops: &[Op], room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        c_program::without_fault(setup)?;
        let mut calls = Calls::default();
        let of_op = |op: &Op| {
            calls.words = Heap::op_words(op);
            calls.add(op);
            std::mem::take(&mut calls.calls)
        };
        body(ops.iter().flat_map(of_op), room)
    }

    fn c_program(setup: &Setup, ops: &[Op], about: &About<'_>, room: &mut Room<'_>) -> Result<TestBody, NoTest> {
        c_program::body(setup, ops, about, room)
    }
}

/// A block as far as requests are granted.
#[derive(Debug, Clone, Copy)]
struct Block {
    size: u64,
    align: u64,
    /// What was pushed, as a growing buffer.
    length: u64,
}

/// The calls of an op, its words with the first of them, and what the ops before it lead to.
#[derive(Debug, Default)]
struct Calls {
    blocks: BTreeMap<u16, Block>,
    words: String,
    calls: Vec<(String, Call)>,
    /// How often the program has written; the number is the pattern's.
    writes: u16,
}

/// The alignment of a block of `malloc`.
fn natural_align(size: u64) -> u64 {
    1 << size.clamp(1, 16).ilog2()
}

impl Calls {
    fn call(&mut self, call: Call) {
        self.calls.push((std::mem::take(&mut self.words), call));
    }

    fn none(&mut self, why: &'static str) {
        self.call(Call::None { why });
    }

    fn write(&mut self, slot: Slot, length: u64) {
        let length = u32::try_from(length).unwrap_or(u32::MAX).min(MAX_WRITTEN_BYTES);
        self.writes = self.writes.wrapping_add(1);
        self.call(Call::Write { slot: slot.index(), seed: self.writes, length });
    }

    fn free(&mut self, slot: Slot) {
        if self.blocks.remove(&slot.into()).is_some() {
            self.call(Call::Verify { slot: slot.index() });
            self.call(Call::Dealloc { slot: slot.index() });
        }
    }

    /// Of no bytes one is asked for.
    fn get(&mut self, slot: Slot, size: Option<u64>, align: Option<u64>, zeroed: bool) {
        let Some(size) = size.map(|size| size.max(1)) else { return self.none("its size is larger than any number") };
        let align = align.unwrap_or_else(|| natural_align(size));
        let words = std::mem::take(&mut self.words);
        self.free(slot);
        self.words = words;
        self.call(Call::Alloc { slot: slot.index(), size, align, zeroed });
        self.blocks.insert(slot.into(), Block { size, align, length: 0 });
        self.write(slot, size);
    }

    fn change(&mut self, slot: Slot, size: Option<u64>) {
        let Some(size) = size.map(|size| size.max(1)) else { return self.none("its size is larger than any number") };
        let Some(block) = self.blocks.get_mut(&slot.into()) else { return self.none("the slot is empty") };
        block.size = size;
        self.call(Call::Realloc { slot: slot.index(), size });
        self.write(slot, size);
    }

    fn push(&mut self, slot: Slot, length: u8, unit: Unit) {
        let bytes = u64::from(length) * unit.bytes();
        match self.blocks.get(&slot.into()).copied() {
            None if bytes == 0 => return self.none("nothing is pushed"),
            None => self.get(slot, Some(unit.grown_capacity_bytes(0, bytes)), Some(unit.bytes()), false),
            Some(block) if block.length + bytes <= block.size => self.none("the block has room for it"),
            Some(block) => {
                let size = unit.grown_capacity_bytes(block.size, block.length + bytes);
                self.change(slot, Some(size));
            }
        }
        if let Some(block) = self.blocks.get_mut(&slot.into()) {
            block.length += bytes;
        }
    }

    fn free_each(&mut self, slots: impl IntoIterator<Item = u16>) {
        let before = self.calls.len();
        let words = self.words.clone();
        slots.into_iter().for_each(|slot| self.free(Slot::new_folded(slot)));
        if self.calls.len() == before {
            self.words = words;
            self.none("no block is there");
        }
    }

    fn add(&mut self, op: &Op) {
        let held = |slot: Slot, count: u8| {
            let slots = (0..u16::from(count.max(1))).map(|distance| u16::from(slot.after(distance)));
            slots.partition::<Vec<u16>, _>(|slot| self.blocks.contains_key(slot))
        };
        match *op {
            Op::Malloc { slot, size } => self.get(slot, Some(size.0), None, false),
            Op::Calloc { slot, count, size } => self.get(slot, count.0.checked_mul(size.0), None, true),
            Op::PosixMemalign { align, .. } if !align.is_for_posix() => self.none("no Layout has such an alignment"),
            Op::PosixMemalign { slot, align, size } => self.get(slot, Some(size.0), Some(align.0), false),
            Op::AlignedAlloc { slot, align, size } | Op::Memalign { slot, align, size } => {
                self.get(slot, Some(size.0), Some(align.bytes()), false);
            }
            Op::Alloc { slot, size, align } => self.get(slot, Some(size.0), Some(align.bytes()), false),
            Op::AllocZeroed { slot, size, align } => self.get(slot, Some(size.0), Some(align.bytes()), true),
            Op::Relayout { slot, size, align, zeroed: false }
                if self.blocks.get(&slot.into()).is_none_or(|block| block.align == align.bytes()) =>
            {
                self.change(slot, Some(size.0));
            }
            Op::Relayout { .. } => self.none("GlobalAlloc changes no alignment and grows nothing zeroed"),
            Op::Realloc { slot, size } => self.change(slot, Some(size.0)),
            Op::Reallocarray { slot, count, size } => self.change(slot, count.0.checked_mul(size.0)),
            Op::Free { slot } => self.free_each([slot.into()]),
            Op::Write { slot, length } => self.write(slot, length.into()),
            Op::Verify { slot } => self.call(Call::Verify { slot: slot.index() }),
            Op::PushString { slot, length } => self.push(slot, length, Unit::Byte),
            Op::PushVec { slot, length } => self.push(slot, length, Unit::Word),
            Op::Fill { slot, count, size } => {
                let (_, empty) = held(slot, count);
                if empty.is_empty() {
                    return self.none("no slot is empty");
                }
                empty.into_iter().for_each(|slot| self.get(Slot::new_folded(slot), Some(size.0), None, false));
            }
            Op::Drain { slot, count, every } => {
                let (held, _) = held(slot, count);
                self.free_each(held.into_iter().step_by(every.max(1).into()));
            }
            Op::FreeAll { order } => {
                let all: Vec<u16> = self.blocks.keys().copied().collect();
                match order {
                    Order::Forward => self.free_each(all),
                    Order::Backward => self.free_each(all.into_iter().rev()),
                    Order::Alternating => {
                        let (even, odd) = (all.iter().step_by(2), all.iter().skip(1).step_by(2));
                        self.free_each(even.chain(odd).copied());
                    }
                }
            }
            Op::FreeNull => self.none("GlobalAlloc is never given null"),
            Op::UsableSize { .. } => self.none("GlobalAlloc tells no usable size"),
            Op::Extend { .. } | Op::AddRegion => self.none("GlobalAlloc is given no memory"),
            Op::Largest { .. } => self.none("it is a search of many calls"),
            Op::Trim => self.none("GlobalAlloc is not asked to give memory back"),
            Op::Cycle { .. } => self.none("it is a measurement of many calls"),
            Op::ThreadStart | Op::ThreadExit => self.none("the test has one thread"),
        }
    }
}
