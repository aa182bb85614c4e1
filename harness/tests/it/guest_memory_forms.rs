//! What the forms of guest-memory traces mean: what was once written is read for ever, and a seed draws what it drew.

use crate::trace_forms::{from_json, json, meaning_of_tags};
use memtwin::models::Payload;
use memtwin::models::guest_memory::{
    DeviceIndex, DeviceSetup, DirtyLogSetup, GuestAddress, GuestMemory, Op, OpKind, Owner, RamRange, Setup,
    TransferLength,
};
use memtwin::random::{Random, hash_name, mix};
use memtwin::trace::Trace;
use memtwin::trace_files::load;
use std::path::{Path, PathBuf};

type GuestTrace = Trace<GuestMemory>;

fn generated(stream: u64, index: u64) -> Vec<u8> {
    let registry = memtwin::built_in();
    let soft_mmu = registry.index_of("guest_memory", "soft_mmu").and_then(|index| registry.get(index)).unwrap();
    let mut wire = Vec::new();
    soft_mmu.traces().write(stream, index, &mut wire);
    wire
}

#[test]
fn values_of_64_bits_are_strings_in_json() {
    let text = json(&golden_trace());
    let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(header["setup"]["memory_size"], "0x10000");
    assert_eq!(header["setup"]["devices"][2]["base"], "0xffffffffffffffc0");
    for line in text.lines().skip(1) {
        let op: serde_json::Value = serde_json::from_str(line).unwrap();
        for name in ["address", "value"] {
            let field = &op[name];
            assert!(field.is_null() || field.as_str().is_some_and(|text| text.starts_with("0x")), "{line}");
        }
    }
}

/// Every op kind, every tag class (each owner, each size, sizes without a tag), devices, strict alignment, and
/// extremes.
fn golden_trace() -> GuestTrace {
    let device = |base, size, faulty_register| DeviceSetup { base, size, faulty_register };
    let setup = Setup {
        strict_alignment: true,
        devices: vec![device(0x1000, 64, Some(8)), device(0x2fff, 1, None), device(u64::MAX - 0x3f, 63, Some(0))],
        ..Setup::flat(0x10000)
    };
    let mut ops = Vec::new();
    let all_addresses = [0x3f, 0, 0x1000, 0x2fff, 0x7fff, 0x1_0000, 0x1234_5678_9abc_def0, u64::MAX].map(GuestAddress);
    let sizes = [1, 2, 4, 8, 0, 3, 255];
    for owner in (0..4).map(Owner::new_folded) {
        // Every combination with the first owner; the others have tags of their own but nothing else.
        let addresses = &all_addresses[..if owner.index() == 0 { all_addresses.len() } else { 1 }];
        for (address, &size) in addresses.iter().flat_map(|&address| sizes.iter().map(move |size| (address, size))) {
            ops.push(Op::Read { owner, address, size });
            ops.push(Op::Write { owner, address, value: u64::MAX - u64::from(size), size });
            ops.push(Op::LoadReserved { owner, address, size });
            ops.push(Op::StoreConditional { owner, address, value: 1 << (size % 64), size });
            ops.push(Op::InvalidateReservation { owner, address, size });
        }
        for &address in addresses {
            ops.push(Op::FetchInstruction { owner, address });
            for length in [0, 1, 127, 128, 0x3fff, 0x4000, 65_536].map(TransferLength::new_folded) {
                ops.push(Op::ReadBulk { owner, address, length });
                ops.push(Op::WriteBulk { owner, address, seed: u16::MAX, length });
            }
        }
        ops.extend([Op::MemorySize { owner }, Op::Dump { owner }, Op::RestoreDump { owner }]);
        for length in [0, 0x10000, u32::MAX] {
            ops.push(Op::Restore { owner, payload: Payload { seed: 0x0102, length } });
        }
    }
    GuestTrace::new(setup, ops)
}

/// What version 1 does not know: RAM in ranges, and devices that move.
fn later_trace() -> GuestTrace {
    let range = |base, bytes| RamRange { base, bytes };
    let ram = vec![range(0, 0x1000), range(0x1000, 1), range(1 << 32, 0x2_0000), range(u64::MAX - 0x1000, 0x1000)];
    let device = |base| DeviceSetup { base, size: 64, faulty_register: None };
    let setup = Setup { devices: vec![device(0x100), device(1 << 32)], ..Setup::ranges(ram) };
    let mut ops = vec![Op::Read { owner: Owner::new_folded(1), address: GuestAddress(0xffc), size: 8 }];
    for (owner, device) in (0..4).flat_map(|owner| (0..3).map(move |device| (owner, device))) {
        let (owner, device) = (Owner::new_folded(owner), DeviceIndex::new_folded(device));
        ops.push(Op::UnmapDevice { owner, device });
        ops.extend([0x140, 0xffff_ffc0, u64::MAX].map(|base| Op::MapDevice {
            owner,
            device,
            base: GuestAddress(base),
        }));
    }
    GuestTrace::new(setup, ops)
}

/// Atomic accesses, which came after that.
fn atomic_trace() -> GuestTrace {
    let mut ops = Vec::new();
    for (owner, size) in (0..4).flat_map(|owner| [1, 2, 4, 8, 0, 255].map(|size| (owner, size))) {
        let (owner, address) = (Owner::new_folded(owner), GuestAddress(0xfff + u64::from(size)));
        ops.push(Op::AtomicLoad { owner, address, size });
        ops.push(Op::AtomicStore { owner, address, value: u64::MAX - u64::from(size), size });
        ops.push(Op::CompareExchange { owner, address, expected: 1 << (size % 64), value: u64::MAX, size });
    }
    GuestTrace::new(Setup::flat(0x1_0000), ops)
}

/// The dirty log, which came after that.
fn logged_trace() -> GuestTrace {
    let dirty_log = Some(DirtyLogSetup { refused: vec![0, 127, 128, u16::MAX] });
    let setup = Setup { dirty_log, ..Setup::ranges(vec![RamRange { base: 0xfff, bytes: 2 }]) };
    let owners = (0..4).map(Owner::new_folded);
    let ops = owners.flat_map(|owner| [Op::DirtyLog { owner }, Op::TakeDirtyLog { owner }, Op::DumpDirty { owner }]);
    GuestTrace::new(setup, ops.collect())
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The golden files were written once and are read for ever: a change that this test does not like breaks every trace
/// that somebody has kept. New kinds of ops come in new files.
#[test]
fn golden_files_are_read_for_ever() {
    let wire = std::fs::read(golden("guest_memory-1.wire")).unwrap();
    let text = std::fs::read_to_string(golden("guest_memory-1.jsonl")).unwrap();
    let from_wire = GuestTrace::from_wire(&wire);
    let from_text: GuestTrace = from_json(&text);
    assert!(from_wire == from_text, "the golden files hold different traces");
    assert!(from_wire == golden_trace(), "the golden files do not hold what they were made from");
    assert_eq!(json(&from_wire), text);
    // A trace has many wire forms: which one is written may change, what each is read as may not.
    let written = load(&memtwin::built_in(), &golden("guest_memory-1.jsonl")).unwrap().wire;
    assert!(GuestTrace::from_wire(&written) == from_wire);
    let all = [golden_trace(), later_trace(), atomic_trace(), logged_trace()];
    for (number, trace) in (2..).zip(&all[1..]) {
        let wire = std::fs::read(golden(&format!("guest_memory-{number}.wire"))).unwrap();
        assert!(GuestTrace::from_wire(&wire) == *trace, "guest_memory-{number}.wire");
        let text = std::fs::read_to_string(golden(&format!("guest_memory-{number}.jsonl"))).unwrap();
        assert_eq!(json(trace), text);
        assert!(from_json::<GuestMemory>(&text) == *trace);
    }
    for kind in OpKind::ALL {
        let mut ops = all.iter().flat_map(GuestTrace::ops);
        assert!(ops.any(|op| op.kind() == *kind), "no {kind:?} in the golden files");
    }
}

/// All 256 tags, each followed by the same bytes: what they mean is part of the format.
#[test]
fn the_tag_table_is_frozen() {
    // Version 1, no devices, a memory of 0x1000 bytes, then the op.
    let meaning = meaning_of_tags::<GuestMemory>(&[1, 0, 0x80, 0x20], &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    assert_eq!(meaning, FROZEN_TAGS, "the tag table of version 1 has changed");
}

const FROZEN_TAGS: u64 = 17_012_021_276_391_571_493;

/// What random bytes mean is frozen too: overlong numbers, folded operands, addresses beside every edge, broken ends.
#[test]
fn reading_wire_bytes_is_frozen() {
    let mut random = Random::new(9);
    let hashes = (0..200).map(|length| {
        let bytes: Vec<u8> = (0..4 * length).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        hash_name(&json(&GuestTrace::from_wire(&bytes)))
    });
    assert_eq!(hashes.fold(0, mix), FROZEN_READING, "bytes that somebody kept are read as another trace");
}

const FROZEN_READING: u64 = 14_661_802_779_514_569_161;

/// What the random engine draws is frozen for each release: a seed in a report means the same traces for everybody.
#[test]
fn the_streams_of_the_random_engine_are_frozen() {
    let hashes = [0, 1, 2].map(|index| hash_name(&json(&GuestTrace::from_wire(&generated(1, index)))));
    assert_eq!(hashes, FROZEN_STREAM, "the generator draws other traces than before: say so in the change log");
}

/// UPDATE HERE, and nowhere else, when the generator is changed on purpose: the first three traces of stream 1 of
/// `guest_memory/soft_mmu`, each as the hash of its JSON lines.
const FROZEN_STREAM: [u64; 3] = [14_751_233_337_956_007_934, 8_418_721_804_731_949_659, 9_819_820_500_101_698_986];
