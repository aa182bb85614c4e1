//! Random traces: the model agrees with the naive arena, says of altered outcomes what the naive judge says, and resets
//! to what it was when new.

use super::super::super::{
    Alignment, AnyAlignment, Fill, FreedBy, Heap, HeapContract, Op, OpKind, Order, Outcome, SecondRegion, Seen, Setup,
    Size, Slot, View,
};
use super::super::HeapModel;
use super::judge::broken_law;
use super::naive::{C_ARENA, Naive};
use crate::{Component, Contract as _, Depth, Divergence, Model as _, StateMap, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Runs a property on the same cases each time; fewer under Miri, which is a thousand times slower.
fn check<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let cases = if cfg!(miri) { cases / 250 } else { cases };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng)
        .run(strategy, |value| {
            property(value);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

fn contracts() -> impl Strategy<Value = HeapContract> {
    prop_oneof![Just(HeapContract::STRICT), Just(HeapContract::ARENA), Just(C_ARENA)]
}

fn setups() -> impl Strategy<Value = Setup> {
    let second = proptest::option::of((1..100_u32, 1..600_u32));
    (1..2000_u32, 0..40_u32, 0..800_u32, second).prop_map(|(first, skew, extend, second)| Setup {
        skew_bytes: skew,
        extend_bytes: extend,
        second: second.map(|(gap_bytes, bytes)| SecondRegion { gap_bytes, bytes }),
        memory_holds: Fill::Letters,
        ..Setup::flat(first)
    })
}

fn op() -> impl Strategy<Value = Op> {
    let numbers = (any::<[u8; 6]>(), any::<u64>());
    numbers.prop_map(|([kind, slot, exponent, short, count, pick], wild)| {
        let slot = Slot::new_folded(u16::from(slot) % 6);
        let align = Alignment::from_exponent_folded(if exponent < 240 { exponent % 7 } else { exponent });
        let size = Size(match short {
            0..6 => wild,
            6..16 => (u64::MAX >> (wild & 1)).wrapping_sub(wild >> 60).wrapping_add(wild >> 58 & 3),
            16..60 => wild & 0x7ff,
            60..70 => 0,
            70..150 => align.bytes().wrapping_mul(u64::from(1 + pick % 3)),
            150.. => wild & 0x7f,
        });
        let product = |size: u64| match pick % 8 {
            0 => (Size(1 << 32), Size((1 << 32) | size)),
            1 => (Size(size), Size((u64::MAX / size.max(1)).saturating_add(1))),
            pick => (Size(u64::from(pick)), Size(size / u64::from(pick))),
        };
        let (times, each) = product(size.0);
        match kind % 48 {
            0..4 => Op::Malloc { slot, size },
            4..6 => Op::Calloc { slot, count: times, size: each },
            6..8 => {
                let odd = AnyAlignment(if pick < 64 { u64::from(pick) } else { align.bytes().max(8) });
                Op::PosixMemalign { slot, align: odd, size }
            }
            8 => Op::AlignedAlloc { slot, align, size },
            9 => Op::Memalign { slot, align, size },
            10..14 => Op::Alloc { slot, size, align },
            14 => Op::AllocZeroed { slot, size, align },
            15..18 => Op::Relayout { slot, size, align, zeroed: pick % 2 == 0 },
            18..23 => Op::Realloc { slot, size },
            23 => Op::Reallocarray { slot, count: times, size: each },
            24..27 => Op::Free { slot },
            27 => Op::FreeNull,
            28..31 => Op::UsableSize { slot },
            31 | 32 => Op::Write { slot, length: (wild >> 40) as u32 >> (short & 31) },
            33 => Op::Verify { slot },
            34 | 35 => Op::PushString { slot, length: count },
            36 | 37 => Op::PushVec { slot, length: count / 8 },
            38 => Op::Fill { slot, count: count % 8, size },
            39 => Op::Drain { slot, count: count % 8, every: pick % 4 },
            40 => Op::FreeAll { order: [Order::Forward, Order::Backward, Order::Alternating][usize::from(pick % 3)] },
            41 => Op::Extend { bytes: (wild >> 32) as u32 & 0x1ff },
            42 => Op::AddRegion,
            43 | 44 => Op::Largest { align: Alignment::from_exponent_folded(exponent % 7) },
            45 => Op::Trim,
            46 => Op::Cycle { count, size, by: FreedBy::Owner },
            _ if pick % 2 == 0 => Op::ThreadStart,
            _ => Op::ThreadExit,
        }
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 0..if cfg!(miri) { 16 } else { 60 })
}

fn judged(model: &mut HeapModel, naive: &mut Naive, op: &Op, seen: &mut Outcome) -> Verdict {
    model.arrange(op, seen);
    naive.apply(op, seen);
    model.judge(op, seen)
}

/// Runs a trace beside the naive arena and returns the features.
fn agree(model: &mut HeapModel, setup: &Setup, contract: &HeapContract, ops: &[Op]) -> Box<[u8; StateMap::SIZE]> {
    let mut naive = Naive::new(setup, contract);
    let mut seen = Outcome::default();
    let mut counts = Box::new([0; StateMap::SIZE]);
    for op in ops {
        assert!(!model.allowed(op).is_empty());
        let before = naive.clone();
        let verdict = judged(model, &mut naive, op, &mut seen);
        assert_eq!(verdict, Verdict::Agree, "{op:?} {:?} in {:?}", seen.result, before.blocks);
        assert_eq!(broken_law(&before, op, &seen), None, "{op:?} {:?} in {:?}", seen.result, before.blocks);
        model.features(op, &seen, &mut StateMap::new(&mut counts));
    }
    let mut view = View::default();
    model.survey(Depth::Full, &mut view);
    naive.view(&mut view);
    assert_eq!(model.audit(&view), Verdict::Agree);
    counts
}

#[test]
fn model_and_judge_agree_with_the_naive_arena() {
    check(2000, &(contracts(), setups(), ops()), |(contract, setup, ops)| {
        agree(&mut HeapModel::new(&setup, &contract), &setup, &contract, &ops);
    });
}

#[test]
fn a_reset_model_equals_a_new_one() {
    check(500, &((setups(), ops()), (setups(), ops())), |((setup, before), (other, after))| {
        let contract = HeapContract::STRICT;
        let mut model = HeapModel::new(&setup, &contract);
        agree(&mut model, &setup, &contract, &before);
        model.reset(&other);
        let features = agree(&mut model, &other, &contract, &after);
        assert!(features == agree(&mut HeapModel::new(&other, &contract), &other, &contract, &after));
    });
}

/// What is done to an outcome.
#[derive(Debug, Clone, Copy)]
struct Change {
    what: u8,
    which: u16,
    by: u64,
}

fn alter(seen: &mut Outcome, before: &Naive, op: &Op, Change { what, which, by }: Change) {
    let near = [1, u64::MAX, 8, u64::MAX - 7, 16, by][usize::from(which % 6)];
    let any = [
        Seen::Null,
        Seen::Done,
        Seen::Vacant,
        Seen::Invalid,
        Seen::Unaskable,
        Seen::Refused,
        Seen::Skipped,
        Seen::Bytes(by & 0xfff),
        Seen::Block(before.regions[0].0 + (by & 0x3ff)),
    ];
    match (what % 12, &mut seen.result) {
        // A block somewhere near, or where another one is.
        (0..3, Seen::Block(address)) => *address = address.wrapping_add(near),
        (3, Seen::Block(address)) => {
            let others: Vec<u64> = before.blocks.values().map(|block| block.address).collect();
            *address = others.get(usize::from(which) % others.len().max(1)).map_or(u64::MAX, |other| other ^ (by & 7));
        }
        (0..3, Seen::Bytes(bytes)) => *bytes = bytes.wrapping_add(near),
        (1 | 2, _) if !seen.batch.is_empty() => {
            let index = usize::from(which) % seen.batch.len();
            match by % 4 {
                0 => seen.batch[index] = 0,
                1 => drop(seen.batch.pop()),
                2 => seen.batch.push(by),
                _ => seen.batch[index] = seen.batch[index].wrapping_add(near),
            }
        }
        (0..5, result) => *result = any[usize::from(which) % any.len()],
        (5, _) => seen.errno = [Some(0), Some(11), Some(12), Some(22), None][usize::from(which) % 5],
        (6, _) => seen.nonzero = Some(by & 0xff),
        (7, _) => seen.stray_byte = Some(by),
        (8, _) => copy_along(seen, before, op),
        _ => change_byte(seen, which, by),
    }
}

/// One of the bytes that were shown becomes another.
fn change_byte(seen: &mut Outcome, which: u16, by: u64) {
    let shown: Vec<_> = seen.shown.iter().map(|(window, bytes)| (window, bytes.to_vec())).collect();
    let total: usize = shown.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut place = if total == 0 { return } else { usize::from(which) % total };
    seen.shown.clear();
    for (window, mut bytes) in shown {
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= (by | 1) as u8;
            place = usize::MAX;
        } else {
            place = place.wrapping_sub(bytes.len());
        }
        seen.shown.room(window).copy_from_slice(&bytes);
    }
}

/// What lay behind the old place of a block lies behind the new one, too.
fn copy_along(seen: &mut Outcome, before: &Naive, op: &Op) {
    let Some(old) = op.slot().and_then(|slot| before.block(slot)) else { return };
    let shown: Vec<_> = seen.shown.iter().map(|(window, bytes)| (window, bytes.to_vec())).collect();
    seen.shown.clear();
    for (window, mut bytes) in shown {
        if old.granted <= window.offset {
            for (offset, byte) in (window.offset..).zip(&mut bytes) {
                if before.index(old.address + offset) < before.taken.len() {
                    *byte = before.byte(old.address + offset);
                }
            }
        }
        seen.shown.room(window).copy_from_slice(&bytes);
    }
}

#[test]
fn altered_outcomes_are_judged_as_the_naive_judge_does() {
    let met: RefCell<BTreeMap<&str, u32>> = RefCell::default();
    let change = (any::<u8>(), any::<u16>(), any::<u64>()).prop_map(|(what, which, by)| Change { what, which, by });
    let changes = prop::collection::vec(change, 4);
    // What was lost shows when nothing is live for the second time.
    let largest = Op::Largest { align: Alignment::from_exponent_folded(4) };
    let twice = [Op::FreeAll { order: Order::Forward }, largest.clone(), largest];
    let traces = prop_oneof![9 => ops(), 1 => ops().prop_map(move |ops| [&ops[..], &twice[..]].concat())];
    check(3000, &(contracts(), setups(), traces, changes), |(contract, setup, ops, changes)| {
        let Some((last, ops)) = ops.split_last() else { return };
        let mut model = HeapModel::new(&setup, &contract);
        let mut before = Naive::new(&setup, &contract);
        let mut seen = Outcome::default();
        for op in ops {
            assert_eq!(judged(&mut model, &mut before, op, &mut seen), Verdict::Agree);
        }
        for change in changes {
            let mut model = model.clone();
            model.arrange(last, &mut seen);
            before.clone().apply(last, &mut seen);
            alter(&mut seen, &before, last, change);
            let law = match model.judge(last, &seen) {
                Verdict::Diverge(Divergence { law, .. }) => law,
                Verdict::Agree => "none",
                Verdict::Moot(reason) => panic!("{reason}"),
            };
            let naive = broken_law(&before, last, &seen).map_or("none", |law| law.name);
            assert_eq!(law, naive, "{last:?} {change:?} {:?} {:?} in {:?}", seen.result, seen.batch, before.blocks);
            *met.borrow_mut().entry(law).or_default() += 1;
        }
    });
    // Books are judged at the audit, and held bytes are not altered here.
    let expected = Heap::LAWS.iter().map(|law| law.name).filter(|law| !matches!(*law, "bounded" | "books"));
    let missing: Vec<_> = expected.filter(|law| met.borrow().get(law).is_none_or(|count| *count < 3)).collect();
    assert!(cfg!(miri) || missing.is_empty(), "{missing:?} of {:?}", met.borrow());
}

#[test]
fn every_permitted_class_of_every_kind_occurs() {
    if cfg!(miri) {
        return; // too few cases to meet them all
    }
    let counts = RefCell::new([[0_u32; 6]; OpKind::ALL.len()]);
    check(1500, &(contracts(), setups(), ops()), |(contract, setup, ops)| {
        let mut naive = Naive::new(&setup, &contract);
        let mut seen = Outcome::default();
        for op in &ops {
            seen.clear();
            naive.apply(op, &mut seen);
            let class = Heap::outcome_class(&seen);
            counts.borrow_mut()[op.kind() as usize][class] += 1;
            let permitted = Heap::permits(&contract, op.kind() as usize, class);
            // The first thread is the only one here; aligned_alloc may take exception to a size.
            let is_other = matches!(op, Op::AlignedAlloc { .. } | Op::Memalign { .. } | Op::Relayout { .. });
            assert!(permitted || is_other, "{op:?} {:?}", seen.result);
        }
    });
    for &kind in OpKind::ALL {
        for class in 0..5 {
            let is_threads = kind == OpKind::ThreadExit && class == 0;
            let permitted = Heap::permits(&HeapContract::STRICT, kind as usize, class) && !is_threads;
            let seen = counts.borrow()[kind as usize][class];
            assert!(!permitted || 0 < seen, "{kind:?} of class {class} never occurred");
        }
    }
}
