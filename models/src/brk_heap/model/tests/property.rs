//! Random traces: the model agrees with the naive heap, and resets to what it was when new.

use super::super::super::{
    Alignment, BrkHeapContract, BrkRequest, Granularity, GuestAddress, Op, OpKind, Outcome, Refusal, Setup, Size, Slot,
    View,
};
use super::super::BrkHeapModel;
use super::naive::Naive;
use crate::{Component, Contract as _, Depth, Model as _, StateMap, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

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

fn setups() -> impl Strategy<Value = Setup> {
    let refusals = prop_oneof![Just(Refusal::CurrentBreak), Just(Refusal::Zero), Just(Refusal::Enomem)];
    (1..24_u32, refusals, any::<bool>()).prop_map(|(frames, refusal, coarse)| Setup {
        frames,
        refusal,
        granularity: match frames % 3 {
            _ if coarse => Granularity::SixteenPages,
            0 => Granularity::Byte,
            _ => Granularity::Page,
        },
        ..Setup::reported(0)
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let numbers = (any::<[u8; 4]>(), any::<u16>(), any::<u64>());
    let op = numbers.prop_map(|([kind, slot, exponent, short], seed, wild)| {
        let slot = Slot::new_folded(slot % 6);
        let align = Alignment::from_exponent_folded(if exponent < 240 { exponent % 7 } else { exponent });
        let size = Size(match short {
            0..6 => wild,
            6..20 => u64::MAX - (wild & 0xffff),
            20..60 => wild & 0x1_ffff,
            60.. => wild & 0xff,
        });
        match kind % 16 {
            0..=2 => Op::Alloc { slot, size, align },
            3 => Op::AllocZeroed { slot, size, align },
            4..=6 => Op::Realloc { slot, size },
            7 => Op::Dealloc { slot },
            8 if short < 80 => Op::WriteEnd { slot, seed, length: (wild >> 48) as u32 >> (short & 7) },
            10 if short < 128 => Op::VerifyEnd { slot },
            8 | 9 => Op::Write { slot, seed, length: (wild >> 48) as u32 >> (short & 7) },
            10 | 11 => Op::Verify { slot },
            12 => Op::PushString { slot, seed, length: short },
            13 => Op::PushVec { slot, seed, length: short },
            14 if short < 4 => Op::Exec,
            14 if short < 8 => Op::Fork,
            14 if short < 16 => Op::VerifyRawBrk,
            14 if short < 80 => Op::ReallocAligned { slot, size, align },
            14 => Op::RawBrk { request: BrkRequest::Grow((wild >> 40) as u32 & 0x7fff) },
            _ if short < 80 => Op::RawBrk { request: BrkRequest::At(GuestAddress(u64::MAX - (wild & 0x1fff))) },
            _ => Op::RawBrk { request: BrkRequest::GiveBack },
        }
    });
    prop::collection::vec(op, 0..if cfg!(miri) { 16 } else { 60 })
}

/// Runs a trace beside the naive heap and returns the features.
fn agree(model: &mut BrkHeapModel, setup: &Setup, ops: &[Op]) -> Box<[u8; StateMap::SIZE]> {
    let mut naive = Naive::new(setup);
    let mut seen = Outcome::default();
    let mut counts = Box::new([0; StateMap::SIZE]);
    for op in ops {
        assert!(!model.allowed(op).is_empty());
        model.arrange(op, &mut seen);
        naive.apply(op, &mut seen);
        assert_eq!(model.judge(op, &seen), Verdict::Agree, "{op:?} {:?}, allowed: {}", seen.result, model.allowed(op));
        model.features(op, &seen, &mut StateMap::new(&mut counts));
    }
    let mut view = View::default();
    model.survey(Depth::Full, &mut view);
    naive.view(&mut view);
    assert_eq!(model.audit(&view), Verdict::Agree);
    counts
}

#[test]
fn the_model_agrees_with_the_naive_heap() {
    check(2000, &(setups(), ops()), |(setup, ops)| {
        agree(&mut BrkHeapModel::new(&setup, &BrkHeapContract::STRICT), &setup, &ops);
    });
}

#[test]
fn a_reset_model_equals_a_new_one() {
    check(500, &((setups(), ops()), (setups(), ops())), |((setup, before), (other, after))| {
        let mut model = BrkHeapModel::new(&setup, &BrkHeapContract::STRICT);
        agree(&mut model, &setup, &before);
        model.reset(&other);
        let features = agree(&mut model, &other, &after);
        assert!(features == agree(&mut BrkHeapModel::new(&other, &BrkHeapContract::STRICT), &other, &after));
    });
}

#[test]
fn every_permitted_class_of_every_kind_occurs() {
    if cfg!(miri) {
        return; // too few cases to meet them all
    }
    let counts = std::cell::RefCell::new([[0_u32; 5]; OpKind::ALL.len()]);
    check(500, &(setups(), ops()), |(setup, ops)| {
        let mut naive = Naive::new(&setup);
        let mut seen = Outcome::default();
        for op in &ops {
            seen.calls.clear();
            naive.apply(op, &mut seen);
            counts.borrow_mut()[op.kind() as usize][seen.result.class()] += 1;
        }
    });
    for &kind in OpKind::ALL {
        for class in 0..5 {
            let seen = counts.borrow()[kind as usize][class];
            let permitted = super::super::super::BrkHeap::permits(&BrkHeapContract::STRICT, kind as usize, class);
            assert_eq!(permitted, 0 < seen, "{kind:?} of class {class} occurred {seen} times");
        }
    }
}
