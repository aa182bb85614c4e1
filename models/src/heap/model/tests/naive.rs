//! An arena without any cleverness, and the program that uses it: a byte and a mark for each address, the first place
//! that holds a block, nothing beside it. It fills blocks and shows them as the program does.

use super::super::super::contents::{END_BYTES, SPARE_BYTES, Stamp, filled};
use super::super::super::{
    Calls, HeapContract, Held, MAX_WRITTEN_BYTES, Op, OpKind, Outcome, Seen, Setup, Shown, Slot, Unit, View, Window,
};
use super::ask::{Ask, PTRDIFF_MAX};
use crate::Contract as _;
use std::collections::BTreeMap;

/// The strict contract of an arena that has C's calls alone.
pub(super) const C_ARENA: HeapContract =
    HeapContract { calls: Calls::ALL.without(Calls::OF_RUST), ..HeapContract::STRICT };
pub(super) const ENOMEM: i32 = 12;
pub(super) const EINVAL: i32 = 22;

/// A block in a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) align: u64,
    pub(super) granted: u64,
    pub(super) length: u64,
    /// How many of the first bytes the program wrote, and which of the last ones.
    head: u64,
    tail: (u64, u64),
}

impl Block {
    /// The first address that is not the block's; one without bytes has its address to itself.
    pub(super) fn end(&self) -> u64 {
        self.address + self.granted.max(1)
    }

    /// Whether the program wrote the eight bytes that the block begins with.
    pub(super) fn has_stamp(&self) -> bool {
        8 <= self.head
    }
}

#[derive(Debug, Clone)]
pub(super) struct Naive {
    pub(super) setup: Setup,
    pub(super) contract: HeapContract,
    /// The regions that the arena has, from their first addresses to the first ones beyond.
    pub(super) regions: Vec<(u64, u64)>,
    bytes: Vec<u8>,
    /// The addresses that blocks have.
    pub(super) taken: Vec<bool>,
    pub(super) blocks: BTreeMap<u16, Block>,
    /// Whether anything was freed, and the largest blocks of each alignment at the first time after it that nothing was
    /// live.
    pub(super) freed: bool,
    pub(super) first_largest: BTreeMap<u8, u64>,
    writes: u64,
}

impl Naive {
    pub(super) fn new(setup: &Setup, contract: &HeapContract) -> Self {
        let limit = setup.second_range().map_or(setup.first_limit(), |(_, end)| end);
        let length = (limit - setup.first_start()) as usize;
        Naive {
            setup: setup.clone(),
            contract: *contract,
            regions: vec![(setup.first_start(), setup.first_start() + u64::from(setup.first_bytes))],
            bytes: vec![0x77; length],
            taken: vec![false; length],
            blocks: BTreeMap::new(),
            freed: false,
            first_largest: BTreeMap::new(),
            writes: 0,
        }
    }

    pub(super) fn index(&self, address: u64) -> usize {
        (address - self.setup.first_start()) as usize
    }

    pub(super) fn byte(&self, address: u64) -> u8 {
        self.bytes[self.index(address)]
    }

    pub(super) fn is_rust(&self) -> bool {
        self.contract.has(OpKind::Relayout)
    }

    pub(super) fn block(&self, slot: Slot) -> Option<Block> {
        self.blocks.get(&slot.into()).copied()
    }

    /// The empty ones of so many slots.
    pub(super) fn slots(first: Slot, count: u8) -> impl Iterator<Item = Slot> {
        (0..u16::from(count.max(1))).map(move |distance| first.after(distance))
    }

    /// What a push asks for: `Ok(None)` where nothing is called.
    pub(super) fn pushed(&self, slot: Slot, length: u8, unit: Unit) -> (u64, Option<Ask>) {
        let bytes = u64::from(length) * unit.bytes();
        let ask = match self.block(slot) {
            None if bytes == 0 => None,
            None => Some(Ask::aligned(unit.grown_capacity_bytes(0, bytes), unit.bytes(), false)),
            Some(block) if block.length + bytes <= block.size => None,
            Some(block) => Some(Ask::of(unit.grown_capacity_bytes(block.size, block.length + bytes))),
        };
        (bytes, ask)
    }

    /// What a change of a block asks for: never no bytes; in Rust the block keeps its alignment.
    pub(super) fn changed(&self, slot: Slot, ask: Ask) -> Ask {
        let old = self.block(slot).map(|block| block.align).filter(|_| self.is_rust());
        Ask { size: ask.size.map(|size| size.max(1)), align: ask.align.or(old), ..ask }
    }

    /// How much of a block a change of it keeps.
    pub(super) fn kept(&self, slot: Slot, ask: Ask) -> u64 {
        let Some(block) = self.block(slot) else { return 0 };
        let was = if self.is_rust() || ask.is_layout { block.size } else { block.granted };
        was.min(ask.size.unwrap_or(0))
    }

    fn place(&self, size: u64, align: u64) -> Option<u64> {
        self.regions.iter().find_map(|(start, end)| {
            let mut from = start.checked_next_multiple_of(align)?;
            loop {
                let to = from.checked_add(size.max(1)).filter(|to| to <= end)?;
                let last_taken = (from..to).rev().find(|address| self.taken[self.index(*address)]);
                match last_taken {
                    None => return Some(from),
                    Some(taken) => from = (taken + 1).checked_next_multiple_of(align)?,
                }
            }
        })
    }

    fn mark(&mut self, block: Block, taken: bool) {
        let (start, end) = (self.index(block.address), self.index(block.end()));
        self.taken[start..end].fill(taken);
    }

    /// The same without the block of a slot.
    pub(super) fn without(&self, slot: Slot) -> Self {
        let mut without = self.clone();
        without.free(slot);
        without
    }

    fn free(&mut self, slot: Slot) {
        if let Some(block) = self.blocks.remove(&slot.into()) {
            self.mark(block, false);
            self.freed = true;
        }
    }

    fn show(&self, slot: Slot, within: u64, shown: &mut Shown) {
        let Some(block) = self.block(slot) else { return };
        for (start, length) in [(0, block.head), block.tail] {
            self.look(slot, start, length.min(within.saturating_sub(start)), shown);
        }
    }

    fn look(&self, slot: Slot, offset: u64, length: u64, shown: &mut Shown) {
        if length != 0 {
            let start = self.index(self.blocks[&slot.into()].address + offset);
            let bytes = &self.bytes[start..start + length as usize];
            shown.room(Window { slot, offset, length: length as u32 }).copy_from_slice(bytes);
        }
    }

    fn show_and_free(&mut self, slot: Slot, seen: &mut Outcome) {
        if let Some(block) = self.block(slot) {
            self.show(slot, block.granted, &mut seen.shown);
        }
        self.free(slot);
    }

    fn store(&mut self, slot: Slot, offset: u64, length: u64) {
        let start = self.index(self.blocks[&slot.into()].address + offset);
        Stamp::new(self.writes, slot.index()).fill(&mut self.bytes[start..start + length as usize]);
        self.writes += 1;
    }

    fn fill(&mut self, slot: Slot) {
        let size = self.blocks[&slot.into()].size;
        let (head, tail) = filled(size);
        self.store(slot, 0, head);
        self.store(slot, tail, size - tail);
        let block = self.blocks.get_mut(&slot.into()).unwrap();
        (block.head, block.tail) = (head, (tail, size - tail));
    }

    pub(super) fn put(&mut self, slot: Slot, address: u64, ask: Ask) {
        let size = ask.size.unwrap();
        let block = Block { address, size, align: ask.alignment(), granted: size, length: 0, head: 0, tail: (0, 0) };
        self.blocks.insert(slot.into(), block);
        self.mark(block, true);
    }

    /// A block for an empty slot, or the answer that there is none.
    fn answer(&self, ask: Ask) -> Result<u64, Seen> {
        if ask.is_layout && ask.is_unaskable() {
            return Err(Seen::Unaskable);
        }
        let size = ask.size.filter(|size| *size <= PTRDIFF_MAX).ok_or(Seen::Null)?;
        if ask.may_be_invalid && !size.is_multiple_of(ask.alignment()) && !self.writes.is_multiple_of(4) {
            return Err(Seen::Invalid);
        }
        // No bytes are answered now with null and now with a block.
        if size == 0 && self.writes.is_multiple_of(4) {
            return Err(Seen::Null);
        }
        self.place(size, ask.alignment()).ok_or(Seen::Null)
    }

    fn get(&mut self, slot: Slot, ask: Ask, seen: &mut Outcome) -> Seen {
        self.show_and_free(slot, seen);
        let answer = self.answer(ask);
        seen.errno = Some(errno_of(answer.err()));
        match answer {
            Ok(address) => {
                self.put(slot, address, ask);
                self.fill(slot);
                Seen::Block(address)
            }
            Err(refused) => refused,
        }
    }

    fn change(&mut self, slot: Slot, ask: Ask, seen: &mut Outcome) -> Seen {
        let Some(old) = self.block(slot) else { return Seen::Vacant };
        let ask = self.changed(slot, ask);
        let (kept, size) = (self.kept(slot, ask), ask.size.unwrap_or(u64::MAX));
        // Where it is, if there is room behind it; every other time it moves if it can.
        let in_place = || {
            let end = old.address.checked_add(size)?;
            let is_inside = self.regions.iter().any(|(start, limit)| *start <= old.address && end <= *limit);
            let is_free = is_inside && (old.end()..end).all(|address| !self.taken[self.index(address)]);
            Some(old.address).filter(|address| is_free && address.is_multiple_of(ask.alignment()))
        };
        let moved = self.answer(Ask { may_be_invalid: false, ..ask });
        let answer = match (moved, in_place()) {
            (Err(Seen::Null), Some(address)) => Ok(address),
            (Ok(_), Some(address)) if self.writes.is_multiple_of(4) => Ok(address),
            (moved, _) => moved,
        };
        seen.errno = Some(errno_of(answer.err()));
        let address = match answer {
            Ok(address) => address,
            Err(refused) => {
                self.show(slot, old.granted, &mut seen.shown);
                return refused;
            }
        };
        let (from, to) = (self.index(old.address), self.index(address));
        let bytes = self.bytes[from..from + kept as usize].to_vec();
        self.mark(old, false);
        self.put(slot, address, ask);
        self.bytes[to..to + bytes.len()].copy_from_slice(&bytes);
        if ask.zeroed && kept < size {
            self.bytes[to + kept as usize..to + size as usize].fill(0);
        }
        let block = self.blocks.get_mut(&slot.into()).unwrap();
        (block.length, block.head, block.tail) = (old.length, old.head, old.tail);
        self.show(slot, kept, &mut seen.shown);
        if old.granted < size {
            self.look(slot, old.granted, (size - old.granted).min(SPARE_BYTES), &mut seen.shown);
        }
        self.fill(slot);
        Seen::Block(address)
    }

    fn usable(&mut self, slot: Slot) -> Seen {
        let Some(old) = self.block(slot) else { return Seen::Vacant };
        let is_free = |address: &u64| {
            let is_inside = self.regions.iter().any(|(start, end)| *start <= old.address && address < end);
            is_inside && !self.taken[self.index(*address)]
        };
        let more = (old.address + old.granted..).take_while(is_free).take((self.writes % 6) as usize).count() as u64;
        let granted = if old.granted == 0 { 0 } else { old.granted + more };
        if old.granted < granted {
            let start = old.granted.max(granted.saturating_sub(END_BYTES));
            self.store(slot, start, granted - start);
            let block = self.blocks.get_mut(&slot.into()).unwrap();
            (block.granted, block.tail) = (granted, (start, granted - start));
            let block = *block;
            self.mark(block, true);
        }
        Seen::Bytes(granted)
    }

    fn push(&mut self, slot: Slot, length: u8, unit: Unit, seen: &mut Outcome) -> Seen {
        let (bytes, ask) = self.pushed(slot, length, unit);
        let result = match (ask, self.block(slot)) {
            (None, None) => return Seen::Done,
            (None, Some(block)) => Seen::Block(block.address),
            (Some(ask), None) => self.get(slot, ask, seen),
            (Some(ask), Some(_)) => self.change(slot, ask, seen),
        };
        if let Seen::Block(_) = result {
            self.blocks.get_mut(&slot.into()).unwrap().length += bytes;
        }
        result
    }

    pub(super) fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.write_number = self.writes;
        if self.contract.has(op.kind()) {
            seen.result = self.carry_out(op, seen);
        }
    }

    fn carry_out(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        match *op {
            Op::Malloc { slot, size } => self.get(slot, Ask::of(size.0), seen),
            Op::Calloc { slot, count, size } => self.get(slot, Ask::product(count.0, size.0, true), seen),
            Op::PosixMemalign { slot, align, .. } if !align.is_for_posix() => {
                self.show_and_free(slot, seen);
                Seen::Invalid
            }
            Op::PosixMemalign { slot, align, size } => self.get(slot, Ask::aligned(size.0, align.0, false), seen),
            Op::AlignedAlloc { slot, align, size } | Op::Memalign { slot, align, size } => {
                self.get(slot, Ask::aligned(size.0, align.bytes(), true), seen)
            }
            Op::Alloc { slot, size, align } => self.get(slot, Ask::layout(size.0, align.bytes(), false), seen),
            Op::AllocZeroed { slot, size, align } => self.get(slot, Ask::layout(size.0, align.bytes(), true), seen),
            Op::Relayout { slot, size, align, zeroed } => {
                self.change(slot, Ask::layout(size.0, align.bytes(), zeroed), seen)
            }
            Op::Realloc { slot, size } => self.change(slot, Ask::of(size.0), seen),
            Op::Reallocarray { slot, count, size } => self.change(slot, Ask::product(count.0, size.0, false), seen),
            Op::Free { slot } if self.block(slot).is_none() => Seen::Vacant,
            Op::Free { slot } => {
                self.show_and_free(slot, seen);
                seen.errno = Some(0);
                Seen::Done
            }
            Op::FreeNull => {
                seen.errno = Some(0);
                Seen::Done
            }
            Op::UsableSize { slot } => self.usable(slot),
            Op::Write { slot, length } => {
                let Some(block) = self.block(slot) else { return Seen::Vacant };
                let length = u64::from(length.min(MAX_WRITTEN_BYTES)).min(block.size);
                self.store(slot, 0, length);
                let block = self.blocks.get_mut(&slot.into()).unwrap();
                block.head = length;
                if block.tail.0 < length {
                    block.tail = (0, 0);
                }
                Seen::Done
            }
            Op::Verify { slot } => match self.block(slot) {
                Some(block) => {
                    self.show(slot, block.granted, &mut seen.shown);
                    Seen::Done
                }
                None => Seen::Vacant,
            },
            Op::PushString { slot, length } => self.push(slot, length, Unit::Byte, seen),
            Op::PushVec { slot, length } => self.push(slot, length, Unit::Word, seen),
            Op::Fill { slot, count, size } => {
                let ask = Ask::of(size.0.max(1));
                for slot in Self::slots(slot, count) {
                    if self.block(slot).is_none() {
                        let address = self.place(size.0, ask.alignment());
                        seen.batch.push(address.unwrap_or(0));
                        let Some(address) = address else { return Seen::Null };
                        self.put(slot, address, ask);
                        self.fill(slot);
                    }
                }
                Seen::Done
            }
            Op::Drain { slot, count, every } => {
                let met: Vec<Slot> = Self::slots(slot, count).filter(|slot| self.block(*slot).is_some()).collect();
                met.iter().step_by(every.max(1).into()).for_each(|slot| self.show_and_free(*slot, seen));
                if met.is_empty() { Seen::Vacant } else { Seen::Done }
            }
            Op::FreeAll { .. } => {
                let all: Vec<u16> = self.blocks.keys().copied().collect();
                all.iter().for_each(|slot| self.show_and_free(Slot::new_folded(*slot), seen));
                if all.is_empty() { Seen::Vacant } else { Seen::Done }
            }
            Op::Extend { bytes } => {
                let end = self.regions[0].1 + u64::from(bytes);
                if self.setup.first_limit() < end {
                    return Seen::Refused;
                }
                self.regions[0].1 = end;
                Seen::Done
            }
            Op::AddRegion => match self.setup.second_range().filter(|_| self.regions.len() == 1) {
                Some(second) => {
                    self.regions.push(second);
                    Seen::Done
                }
                None => Seen::Refused,
            },
            Op::Largest { align } => {
                let largest = self.largest(align.bytes());
                if self.blocks.is_empty() && self.freed {
                    self.first_largest.entry(align.exponent()).or_insert(largest);
                }
                self.freed |= largest != 0;
                Seen::Bytes(largest)
            }
            Op::Cycle { .. } => {
                self.freed = true;
                seen.held = Some(Held { first: 4096, second: 4096 });
                Seen::Done
            }
            Op::Trim | Op::ThreadStart => Seen::Done,
            Op::ThreadExit => Seen::Vacant,
        }
    }

    pub(super) fn largest(&self, align: u64) -> u64 {
        (0..1 << 15).rev().find(|size| *size == 0 || self.place(*size, align).is_some()).unwrap_or(0)
    }

    pub(super) fn view(&self, view: &mut View) {
        let View { wanted, shown, .. } = view;
        for slot in wanted.iter() {
            self.show(*slot, u64::MAX, shown);
        }
        view.live_blocks = Some(self.blocks.len() as u64);
    }
}

fn errno_of(refused: Option<Seen>) -> i32 {
    match refused {
        Some(Seen::Null) => ENOMEM,
        Some(Seen::Invalid) => EINVAL,
        Some(_) | None => 0,
    }
}
