//! The generator under contracts of every kind: it draws what they ask for and serve, every kind of op, and for an
//! arena a request now and then that it has no room for.

use super::HeapGenerator;
use crate::random::Random;
use crate::rig::Generator as _;
use memtwin_models::Contract as _;
use memtwin_models::heap::{ARENA_BASE, HeapContract, Op, OpKind, Setup, Slot, Unit};
use std::collections::BTreeMap;

fn contracts() -> Vec<HeapContract> {
    let claims = [
        "region_align=16 smallest_bytes=64 smallest_extend=64",
        "region_align=4096 smallest_bytes=0x10000 largest_bytes=0x20000 smallest_extend=0x1000",
        "largest_align=8 largest_size=1000",
        "largest_align=1 largest_size=0",
        "no_reuse calls=free+verify+free_all",
        "smallest_bytes=0x200000 smallest_extend=0x10000000",
    ];
    let claimed = claims
        .map(|claims| claims.split(' ').fold(HeapContract::ARENA, |contract, claim| contract.claim(claim).unwrap()));
    let whole =
        [HeapContract::STRICT, HeapContract::ARENA, HeapContract::GLOBAL, HeapContract::LIBRARY, HeapContract::C];
    let few = HeapContract::LIBRARY.claim("largest_align=4096").unwrap().claim("largest_size=0x100000").unwrap();
    whole.into_iter().chain(claimed).chain([few]).collect()
}

/// Drawn traces.
fn traces(contract: &HeapContract, count: u64, ops: usize) -> impl Iterator<Item = (Setup, Vec<Op>)> {
    let mut generator = HeapGenerator::new(contract);
    (0..count).map(move |seed| {
        let mut random = Random::new(seed);
        let setup = generator.setup(&mut random);
        generator.begin(&setup, &mut random);
        (setup, (0..ops).map(|_| generator.op(&mut random)).collect())
    })
}

#[test]
fn what_is_drawn_is_served_and_asked_for() {
    for contract in contracts() {
        let mut kinds = [0_u32; OpKind::ALL.len()];
        for (setup, ops) in traces(&contract, 1500, 200) {
            assert_eq!((setup.check(), contract.serves(&setup)), (Ok(()), Ok(())), "{contract:?} {setup:?}");
            for op in ops {
                assert!(contract.asks(&op), "{contract:?} is asked for {op:?}");
                kinds[op.kind() as usize] += 1;
            }
        }
        for (kind, count) in OpKind::ALL.iter().zip(kinds) {
            let is_threads = matches!(kind, OpKind::ThreadStart | OpKind::ThreadExit);
            let is_left_out = is_threads && !contract.own_memory
                || *kind == OpKind::Extend && contract.smallest_extend == 0x1000_0000;
            // Campaigns want each kind once in 10,000 ops.
            let least = if contract.has(*kind) && !is_left_out { 30 } else { 0 };
            assert!(
                least <= count && (least != 0) == (count != 0),
                "{kind:?} was drawn {count} times under {contract:?}"
            );
        }
    }
}

/// An arena that puts each block into the first gap that holds it, without overhead.
struct FirstFit {
    regions: Vec<(u64, u64)>,
    more: u64,
    second: Option<(u64, u64)>,
    /// The live blocks by their addresses: end and slot.
    blocks: BTreeMap<u64, (u64, u16)>,
    slots: BTreeMap<u16, (u64, u64)>,
    /// Requests that a block could answer by their size, and those that were refused.
    asked: u32,
    refused: u32,
}

impl FirstFit {
    fn new(setup: &Setup) -> Self {
        let start = setup.first_start() - ARENA_BASE;
        FirstFit {
            regions: vec![(start, start + u64::from(setup.first_bytes))],
            more: setup.extend_bytes.into(),
            second: setup.second_range().map(|(start, end)| (start - ARENA_BASE, end - ARENA_BASE)),
            blocks: BTreeMap::new(),
            slots: BTreeMap::new(),
            asked: 0,
            refused: 0,
        }
    }

    fn place(&self, size: u64, align: u64) -> Option<u64> {
        self.regions.iter().find_map(|(start, end)| {
            let mut from = start.checked_next_multiple_of(align)?;
            for (block, (block_end, _)) in self.blocks.range(start..end) {
                if from.checked_add(size)? <= *block {
                    break;
                }
                from = from.max(block_end.checked_next_multiple_of(align)?);
            }
            Some(from).filter(|from| from.checked_add(size).is_some_and(|last| last <= *end))
        })
    }

    fn get(&mut self, slot: Slot, size: Option<u64>, align: u64) {
        self.asked += 1;
        match self.place(size.unwrap_or(u64::MAX).max(1), align) {
            Some(start) => {
                let size = size.unwrap_or(0).max(1);
                self.free(slot);
                self.blocks.insert(start, (start + size, slot.into()));
                self.slots.insert(slot.into(), (start, size));
            }
            None => self.refused += 1,
        }
    }

    fn free(&mut self, slot: Slot) {
        if let Some((start, _)) = self.slots.remove(&slot.into()) {
            self.blocks.remove(&start);
        }
    }

    fn get_anew(&mut self, slot: Slot, size: Option<u64>, align: u64) {
        self.free(slot);
        self.get(slot, size, align);
    }

    fn push(&mut self, slot: Slot, length: u8, unit: Unit) {
        let held = self.slots.get(&slot.into()).map_or(0, |(_, size)| *size);
        if length != 0 {
            let needed = u64::from(length) * unit.bytes();
            self.get(slot, Some(unit.grown_capacity_bytes(held, needed)), unit.bytes());
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Malloc { slot, size } => self.get_anew(slot, Some(size.0), 1),
            Op::Calloc { slot, count, size } => self.get_anew(slot, count.0.checked_mul(size.0), 1),
            Op::PosixMemalign { slot, align, size } if align.is_for_posix() => {
                self.get_anew(slot, Some(size.0), align.0);
            }
            Op::PosixMemalign { slot, .. } => self.free(slot),
            Op::AlignedAlloc { slot, align, size } | Op::Memalign { slot, align, size } => {
                self.get_anew(slot, Some(size.0), align.bytes());
            }
            Op::Alloc { slot, size, align } | Op::AllocZeroed { slot, size, align } => {
                self.get_anew(slot, Some(size.0), align.bytes());
            }
            Op::Realloc { slot, size } if self.slots.contains_key(&slot.into()) => self.get(slot, Some(size.0), 1),
            Op::Relayout { slot, size, align, .. } if self.slots.contains_key(&slot.into()) => {
                self.get(slot, Some(size.0), align.bytes());
            }
            Op::Reallocarray { slot, count, size } if self.slots.contains_key(&slot.into()) => {
                self.get(slot, count.0.checked_mul(size.0), 1);
            }
            Op::Free { slot } => self.free(slot),
            Op::PushString { slot, length } => self.push(slot, length, Unit::Byte),
            Op::PushVec { slot, length } => self.push(slot, length, Unit::Word),
            Op::Fill { slot, count, size } => {
                let slots = (0..u16::from(count.max(1))).map(|distance| slot.after(distance));
                for slot in slots.filter(|slot| !self.slots.contains_key(&(*slot).into())).collect::<Vec<_>>() {
                    let refused = self.refused;
                    self.get(slot, Some(size.0), 1);
                    if refused < self.refused {
                        break;
                    }
                }
            }
            Op::Drain { slot, count, every } => {
                let slots = (0..u16::from(count.max(1))).map(|distance| slot.after(distance));
                let met = slots.filter(|slot| self.slots.contains_key(&(*slot).into())).collect::<Vec<_>>();
                met.iter().step_by(usize::from(every.max(1))).for_each(|slot| self.free(*slot));
            }
            Op::FreeAll { .. } => {
                self.blocks.clear();
                self.slots.clear();
            }
            Op::Extend { bytes } if u64::from(bytes) <= self.more => {
                self.more -= u64::from(bytes);
                self.regions[0].1 += u64::from(bytes);
            }
            Op::AddRegion => self.regions.extend(self.second.take()),
            Op::Realloc { .. }
            | Op::Relayout { .. }
            | Op::Reallocarray { .. }
            | Op::FreeNull
            | Op::UsableSize { .. }
            | Op::Write { .. }
            | Op::Verify { .. }
            | Op::Extend { .. }
            | Op::Largest { .. }
            | Op::Trim
            | Op::Cycle { .. }
            | Op::ThreadStart
            | Op::ThreadExit => {}
        }
    }
}

#[test]
fn an_arena_has_room_for_most_requests_and_not_for_all() {
    let (mut asked, mut refused) = (0, 0);
    for (setup, ops) in traces(&HeapContract::ARENA, 2000, 200) {
        let mut arena = FirstFit::new(&setup);
        ops.iter().for_each(|op| arena.apply(op));
        asked += arena.asked;
        refused += arena.refused;
    }
    let percent = 100 * refused / asked;
    assert!((5..=20).contains(&percent), "{refused} of {asked} requests were refused, {percent} percent");
}
