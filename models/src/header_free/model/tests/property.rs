//! Random traces: the model agrees with the naive allocator, and resets to what it was when new.

use super::super::super::{
    Alignment, HeaderFree, HeaderFreeContract, Kind, Mode, Op, OpKind, Outcome, Protection, Setup, Side, Slot, Thread,
    View,
};
use super::super::HeaderFreeModel;
use super::naive::Naive;
use crate::{Component as _, Contract as _, Depth, Model as _, StateMap, Verdict};
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
    let modes = prop_oneof![Just(Mode::LdPreload), Just(Mode::Direct0), Just(Mode::Direct1)];
    (modes, any::<bool>()).prop_map(|(mode, tiny_header)| Setup {
        mode,
        registry_log2: 2,
        tiny_header,
        ..Setup::PRELOADED
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let numbers = (any::<[u8; 4]>(), any::<u16>(), any::<u64>());
    let op = numbers.prop_map(|([kind, slot, exponent, short], seed, wild)| {
        let slot = Slot::new_folded(slot % 6);
        let align = Alignment::from_exponent_folded(if exponent < 240 { exponent % 5 } else { exponent });
        let size = match short {
            0..6 => wild,
            6..20 => u64::MAX - (wild & 0xff),
            20..60 => wild & 0x1fff,
            60.. => wild & 0x3ff,
        };
        let delta = match short {
            0..32 => wild & 0xff,
            32..40 => u64::MAX - (wild & 0xff),
            40.. => 0,
        };
        let side = if short & 1 == 0 { Side::Before } else { Side::After };
        let protection = [Protection::None, Protection::Read, Protection::ReadWrite][usize::from(short % 3)];
        let owner = Kind::ALL[usize::from(exponent % 6)];
        match kind % 24 {
            20 | 21 => Op::BootAlloc { slot, size },
            22 => Op::WriteEnd { slot, seed, length: (wild >> 57) as u32 },
            23 => Op::ThreadExit { thread: Thread::new_folded(exponent) },
            0..=4 => Op::Alloc { slot, kind: owner, size, align },
            5 => Op::Realloc { slot, size, delta },
            6 => Op::UsableSize { slot, delta },
            7 | 8 => Op::Write { slot, seed, length: (wild >> 50) as u32 },
            9 => Op::Verify { slot },
            10..=12 => Op::Free { slot, delta, thread: Thread::new_folded(exponent) },
            13 => Op::LibcAlloc { slot, size, align },
            14 | 15 => Op::MapForeign { slot, beside: slot },
            16 => Op::ProtectNeighbour { slot, side, protection },
            17 => Op::Forge { slot, offset: (wild & 0x1ff) as u32, method: owner },
            18 => Op::RetireSuperslab { slot },
            _ if short & 1 == 0 => Op::UnmapNeighbour { slot, side },
            _ => Op::Stats,
        }
    });
    prop::collection::vec(op, 0..if cfg!(miri) { 16 } else { 60 })
}

/// Runs a trace beside the naive allocator and returns the features.
fn agree(model: &mut HeaderFreeModel, setup: &Setup, ops: &[Op]) -> Box<[u8; StateMap::SIZE]> {
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
fn the_model_agrees_with_the_naive_allocator() {
    check(2000, &(setups(), ops()), |(setup, ops)| {
        agree(&mut HeaderFreeModel::new(&setup, &HeaderFreeContract::STRICT), &setup, &ops);
    });
}

#[test]
fn a_reset_model_equals_a_new_one() {
    check(500, &((setups(), ops()), (setups(), ops())), |((setup, before), (other, after))| {
        let mut model = HeaderFreeModel::new(&setup, &HeaderFreeContract::STRICT);
        agree(&mut model, &setup, &before);
        model.reset(&other);
        let features = agree(&mut model, &other, &after);
        assert!(features == agree(&mut HeaderFreeModel::new(&other, &HeaderFreeContract::STRICT), &other, &after));
    });
}

#[test]
fn no_class_occurs_that_is_not_permitted() {
    check(500, &(setups(), ops()), |(setup, ops)| {
        let mut naive = Naive::new(&setup);
        let mut seen = Outcome::default();
        for op in &ops {
            naive.apply(op, &mut seen);
            let (kind, class) = (op.kind() as usize, seen.result.class());
            let is_permitted = HeaderFree::permits(&HeaderFreeContract::STRICT, kind, class);
            assert!(is_permitted, "{:?} {:?}", OpKind::ALL[kind], seen.result);
        }
    });
}
