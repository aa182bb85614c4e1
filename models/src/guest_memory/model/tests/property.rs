//! Random traces, biased to small memories and their edges: the model agrees with the naive memory, sees alterations,
//! and resets to what it was when new.

use super::super::super::{
    DeviceCall, DeviceIndex, DeviceSetup, Direction, DirtyLogSetup, Error, GuestAddress, GuestMemory, OpKind, RamRange,
};
use super::super::*;
use super::naive::Naive;
use crate::{Component, Contract as _};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

/// A trace and the numbers that pick an alteration for each op.
#[derive(Debug, Clone)]
struct Trace {
    setup: Setup,
    ops: Vec<(Op, u32)>,
}

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

fn traces() -> impl Strategy<Value = Trace> {
    (setups(), any::<[u32; 3]>()).prop_flat_map(|(setup, places)| {
        let places = places.map(|place| near_edge(&setup, place));
        let ops = prop::collection::vec((ops(&setup, places), any::<u32>()), 0..if cfg!(miri) { 24 } else { 80 });
        (Just(setup), ops).prop_map(|(setup, ops)| Trace { setup, ops })
    })
}

fn setups() -> impl Strategy<Value = Setup> {
    let size =
        prop_oneof![6 => 0..400_u64, 2 => 4080..4120_u64, 2 => 8180..8200_u64, 1 => Just(65_536), 1 => Just(70_001)];
    let device = (any::<prop::sample::Index>(), 1..100_u32, prop::option::of(0..100_u32));
    let range = (0..6_u64, 0..5_u64, 1..300_u64).prop_map(|(block, place, bytes)| RamRange {
        base: [0, 0x100, 0x200, 1 << 32, (1 << 32) + 0x80, u64::MAX - 0x400][block as usize] + place * 0x20,
        bytes: (bytes + 0x1f) & !0x1f,
    });
    let ram = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(range, 1..=6)];
    let log = prop::option::of(prop::collection::vec(0..12_u16, 0..=3));
    (size, prop::bool::weighted(0.2), prop::collection::vec(device, 0..=3), ram, log).prop_map(
        |(memory_size, strict_alignment, devices, ram, log)| {
            // Miri needs seconds for a naive step over a whole large memory.
            let memory_size = if cfg!(miri) { memory_size.min(8200) } else { memory_size };
            let devices = devices.into_iter().map(|(place, size, faulty_register)| DeviceSetup {
                base: place.index(memory_size as usize + 150) as u64,
                size,
                faulty_register,
            });
            let dirty_log = log.map(|refused| DirtyLogSetup { refused });
            Setup { strict_alignment, ram, devices: devices.collect(), dirty_log, ..Setup::flat(memory_size) }
                .normalised()
        },
    )
}

/// An address within 70 bytes of an edge of the setup.
fn near_edge(setup: &Setup, number: u32) -> GuestAddress {
    let edges = setup.edges();
    let edge = edges[number as usize % edges.len()];
    GuestAddress(edge.wrapping_add(u64::from(number >> 8) % 140).wrapping_sub(70))
}

/// Ops of which most meet at or near the same three places, so that reservations are hit.
fn ops(setup: &Setup, places: [GuestAddress; 3]) -> impl Strategy<Value = Op> + use<> {
    let setup = setup.clone();
    let length = prop_oneof![2 => 0..4_u64, 6 => 0..200_u64, 1 => 0..10_000_u64];
    let numbers = (any::<[u8; 4]>(), any::<u32>(), any::<u64>(), length);
    numbers.prop_map(move |([kind, owner, size, place], edge, value, length)| {
        let owner = Owner::new_folded(owner);
        let size = if size < 230 { 1 << (size % 4) } else { size % 19 };
        let met = places[usize::from(place) / 4 % 3];
        let address = match place % 4 {
            0 | 1 => met,
            2 => GuestAddress(met.0.wrapping_add(u64::from(edge) % 140).wrapping_sub(70)),
            _ => near_edge(&setup, edge),
        };
        let seed = edge as u16;
        let length = TransferLength::new_folded(length);
        let pattern_bytes = if place < 200 { setup.memory_size as u32 } else { length.bytes() };
        let device = DeviceIndex::new_folded(seed.to_le_bytes()[0]);
        // Nearly all atomic accesses are aligned, and half of what is expected is what fresh memory holds.
        let aligned =
            GuestAddress(if place < 240 { address.0 & !u64::from(size.wrapping_sub(1) & 7) } else { address.0 });
        let expected = if edge & 1 == 0 { 0 } else { value.rotate_left(edge) };
        if setup.dirty_log.is_some() && kind < 40 {
            return match kind % 4 {
                0 => Op::DirtyLog { owner },
                1 => Op::TakeDirtyLog { owner },
                _ => Op::DumpDirty { owner },
            };
        }
        match kind % 36 {
            0..=2 => Op::Read { owner, address, size },
            3..=6 => Op::Write { owner, address, value, size },
            7 => Op::FetchInstruction { owner, address },
            8..=11 => Op::LoadReserved { owner, address, size },
            12..=15 => Op::StoreConditional { owner, address, value, size },
            16 => Op::InvalidateReservation { owner, address, size },
            17..=19 => Op::ReadBulk { owner, address, length },
            20..=22 => Op::WriteBulk { owner, address, seed, length },
            23 => Op::MemorySize { owner },
            24 => Op::Dump { owner },
            25 => Op::Restore { owner, payload: Payload { seed, length: pattern_bytes } },
            26 => Op::RestoreDump { owner },
            27 => Op::UnmapDevice { owner, device },
            28 => Op::AtomicLoad { owner, address: aligned, size },
            29 | 30 => Op::AtomicStore { owner, address: aligned, value, size },
            31..=33 => Op::CompareExchange { owner, address: aligned, expected, value, size },
            _ => Op::MapDevice { owner, device, base: address },
        }
    })
}

fn contracts() -> impl Strategy<Value = GuestMemoryContract> {
    let freedoms = any::<[bool; 6]>();
    freedoms.prop_map(|freedoms| {
        let [zero_length_anywhere, range_error_is_page_fault, no_reservations, no_dump, fixed_devices, no_atomics] =
            freedoms;
        GuestMemoryContract {
            zero_length_anywhere,
            range_error_is_page_fault,
            no_reservations,
            no_dump,
            fixed_devices,
            no_atomics,
            ..GuestMemoryContract::STRICT
        }
    })
}

/// Runs a trace beside the naive memory and returns the features.
fn agree(model: &mut GuestMemoryModel, trace: &Trace, contract: &GuestMemoryContract) -> Box<[u8; StateMap::SIZE]> {
    let mut naive = Naive::new(&trace.setup, contract);
    let mut seen = Outcome::default();
    let mut view = View::default();
    let mut counts = Box::new([0; StateMap::SIZE]);
    for (op, _) in &trace.ops {
        assert!(!model.allowed(op).is_empty());
        model.arrange(op, &mut seen);
        naive.apply(op, &mut seen);
        assert_eq!(model.judge(op, &seen), Verdict::Agree, "{op:?} {:?}, allowed: {}", seen.result, model.allowed(op));
        model.features(op, &seen, &mut StateMap::new(&mut counts));
    }
    model.survey(Depth::Full, &mut view);
    naive.view(&mut view);
    assert_eq!(model.audit(&view), Verdict::Agree);
    counts
}

#[test]
fn the_model_agrees_with_the_naive_memory() {
    check(5000, &(traces(), contracts()), |(trace, contract)| {
        agree(&mut GuestMemoryModel::new(&trace.setup, &contract), &trace, &contract);
    });
}

#[test]
fn a_reset_model_equals_a_new_one() {
    let contract = GuestMemoryContract::STRICT;
    check(1000, &(traces(), traces()), |(before, after)| {
        let mut model = GuestMemoryModel::new(&before.setup, &contract);
        let features = agree(&mut model, &before, &contract);
        model.reset(&before.setup);
        assert!(features == agree(&mut model, &before, &contract));
        model.reset(&after.setup);
        let mut zeroes = View { dump: Some(vec![0; after.setup.memory_size as usize]), ..View::default() };
        assert_eq!(model.audit(&zeroes), Verdict::Agree);
        model.survey(Depth::Full, &mut zeroes);
        assert_eq!(zeroes.ranges_wanted, []);
        let features = agree(&mut model, &after, &contract);
        assert!(features == agree(&mut GuestMemoryModel::new(&after.setup, &contract), &after, &contract));
    });
}

#[test]
fn every_permitted_class_of_every_kind_occurs() {
    if cfg!(miri) {
        return; // too few cases to meet them all
    }
    let contract = GuestMemoryContract::STRICT;
    let counts = std::cell::RefCell::new([[0_u32; 7]; OpKind::ALL.len()]);
    check(2000, &traces(), |trace| {
        let mut naive = Naive::new(&trace.setup, &contract);
        let mut seen = Outcome::default();
        for (op, _) in &trace.ops {
            seen.device_calls.clear();
            naive.apply(op, &mut seen);
            counts.borrow_mut()[op.kind() as usize][seen.result.class()] += 1;
        }
    });
    for &kind in OpKind::ALL {
        for class in 0..GuestMemory::OUTCOME_CLASSES.len() {
            let seen = counts.borrow()[kind as usize][class];
            let permitted = GuestMemory::permits(&contract, kind as usize, class);
            assert_eq!(permitted, 0 < seen, "{kind:?} was {} {seen} times", GuestMemory::OUTCOME_CLASSES[class].name);
        }
    }
}

#[test]
fn every_alteration_is_seen() {
    let contract = GuestMemoryContract::STRICT;
    check(2000, &traces(), |trace| {
        let mut model = GuestMemoryModel::new(&trace.setup, &contract);
        let mut naive = Naive::new(&trace.setup, &contract);
        let mut seen = Outcome::default();
        for (op, number) in &trace.ops {
            model.arrange(op, &mut seen);
            naive.apply(op, &mut seen);
            let right = model.clone();
            assert_eq!(model.judge(op, &seen), Verdict::Agree, "{op:?}");
            if let Some(laws) = alter(op, *number, &right, &mut seen) {
                let verdict = right.clone().judge(op, &seen);
                let Verdict::Diverge(divergence) = verdict else { panic!("{op:?} {number}: {verdict:?}") };
                assert!(laws.contains(&divergence.law), "{op:?} {number}: {divergence:?}, expected one of {laws:?}");
            }
        }
    });
}

impl GuestMemoryModel {
    /// Whether the contract leaves a store-conditional's answer open.
    fn is_open(&self, op: &Op) -> bool {
        let Op::StoreConditional { owner, address, size, .. } = *op else { return false };
        let answers = self.reservations.answers(&self.layout.contract, owner, address.0, size);
        answers.may_store && answers.may_fail
    }
}

/// Alters an outcome in a way that the contract forbids, and names the laws of which one must be seen broken.
fn alter(op: &Op, number: u32, model: &GuestMemoryModel, seen: &mut Outcome) -> Option<&'static [&'static str]> {
    let position = |length: usize| (number >> 8) as usize % length;
    match number % 8 {
        0 | 1 => alter_result(number, seen),
        2 => match seen.result {
            Seen::Value(value) => {
                seen.result = Seen::Value(value ^ 1 << (number >> 8 & 63));
                Some(&["flat_memory", "device_calls", "memory_size"])
            }
            Seen::Stored(stored) if !model.is_open(op) => {
                seen.result = Seen::Stored(!stored);
                Some(&["reservation"])
            }
            Seen::Exchanged { before, stored } => {
                let before = before ^ 1 << (number >> 8 & 63);
                seen.result = Seen::Exchanged { before, stored };
                Some(&["flat_memory"])
            }
            Seen::Stored(_) | Seen::Skipped | Seen::Done | Seen::Moved(_) | Seen::Error(_) => None,
        },
        3 => {
            let stray =
                DeviceCall { device: 0, direction: Direction::Read, offset: 1 << 40, size: 1, value: 0, failed: true };
            seen.device_calls.push(stray);
            Some(&["device_calls"])
        }
        4 if !seen.device_calls.is_empty() => {
            seen.device_calls.remove(position(seen.device_calls.len()));
            Some(&["device_calls"])
        }
        5 => {
            let Op::ReadBulk { length, .. } = *op else { return None };
            let byte = length.bytes() as usize + position(super::super::super::outcome::REDZONE_BYTES);
            seen.whole_buffer()[byte] ^= 1;
            Some(&["buffer_bounds"])
        }
        6 => alter_bytes(op, number, seen),
        _ => alter_error(op, number, model, seen),
    }
}

/// Another byte in what was dumped or read in bulk, or in a buffer that had to stay as it was.
fn alter_bytes(op: &Op, number: u32, seen: &mut Outcome) -> Option<&'static [&'static str]> {
    let position = |length: usize| (number >> 8) as usize % length;
    if let Op::Dump { .. } = op
        && !seen.dump.is_empty()
    {
        let byte = position(seen.dump.len());
        seen.dump[byte] ^= 1;
        return Some(&["dump"]);
    }
    if let Op::DumpDirty { .. } = op
        && !seen.dump.is_empty()
    {
        let byte = position(seen.dump.len());
        seen.dump[byte] ^= 1;
        return Some(&["dump"]);
    }
    if let Op::DirtyLog { .. } | Op::TakeDirtyLog { .. } = op
        && !seen.pages.is_empty()
    {
        // A page goes, or is another.
        let page = position(seen.pages.len());
        if number & 0x80 == 0 {
            seen.pages.remove(page);
        } else {
            seen.pages[page] ^= 1 << 45 | u64::from(number >> 16 & 1);
        }
        return Some(&["dirty"]);
    }
    let Op::ReadBulk { length, .. } = *op else { return None };
    if length.bytes() == 0 {
        return None;
    }
    seen.whole_buffer()[position(length.bytes() as usize)] ^= 1;
    Some(match (seen.result == Seen::Done, seen.device_calls.is_empty()) {
        (true, true) => &["flat_memory"],
        (true, false) => &["device_calls"],
        (false, _) => &["error_changes_nothing"],
    })
}

/// Another form of answer.
fn alter_result(number: u32, seen: &mut Outcome) -> Option<&'static [&'static str]> {
    if let Seen::Exchanged { before, stored } = seen.result
        && number & 0x1000 != 0
    {
        seen.result = Seen::Exchanged { before, stored: !stored };
        return Some(&["atomic"]);
    }
    let forms = [
        Seen::Skipped,
        Seen::Value(0),
        Seen::Done,
        Seen::Stored(true),
        Seen::Exchanged { before: 0, stored: false },
        Seen::Error(Error::InvalidAddress),
    ];
    let other = forms[(number >> 8) as usize % forms.len()];
    let same_form = std::mem::discriminant(&other) == std::mem::discriminant(&seen.result);
    seen.result = other;
    (!same_form).then_some(&["answer", "bounds", "restore", "device_map", "dirty"])
}

/// Another class of error, where the contract fixes the class.
fn alter_error(op: &Op, number: u32, model: &GuestMemoryModel, seen: &mut Outcome) -> Option<&'static [&'static str]> {
    let Seen::Error(error) = seen.result else { return None };
    // What the devices and a restore answer has no fixed class.
    if error == Error::Other {
        return None;
    }
    let classes = [Error::Alignment, Error::InvalidAddress, Error::PageFault, Error::Other];
    let other = classes[(number >> 8) as usize % classes.len()];
    seen.result = Seen::Error(other);
    assert!(model.allowed(op).starts_with(if error == Error::Alignment {
        "Err(AlignmentFault)"
    } else {
        "Err(InvalidAddress)"
    }));
    (other != error).then_some(&["error_class"])
}
