//! The subjects of page walks: every short sequence of ops over a few operands agrees on the hardened one, and it is as good
//! after a reset as it was when new.

use memtwin::Registry;
use memtwin::lockstep::{Audits, COUNTS, Ended, Journal};
use memtwin::models::page_walk::{Backing, MappedSetup, MappingKind, Op, Outcome, PageWalk, Prefix, Setup, Slot, View};
use memtwin::models::{Health, Subject};
use memtwin::subjects::page_walk::Hardened;
use memtwin::trace::Trace;
use std::sync::atomic::AtomicU32;

const TABLES: u64 = 0x10_0000;
const SCRATCH: u64 = (1 << 36) - 0x1000;
const LAST_PAGE: u64 = 0xffff_ffff_ffff_f000;

/// A snapshot that ends within a page and has a tail, a scratch without room for it, and two file mappings: one right behind
/// for guest and host, one that ends within a page.
fn setups() -> [Setup; 3] {
    let mapped = |gpa, bytes| MappedSetup { gpa, bytes, writable: true, executable: false };
    let odd = Setup {
        snapshot_bytes: 0x1800,
        scratch_bytes: 0x1000,
        buffer_bytes: 0x40,
        mapped: vec![mapped(0x3000, 0x1000), mapped(0x4000, 0xfff)],
        ..Setup::plain()
    };
    let adjacent = Setup { snapshot_bytes: 0x2000, adjacent: true, ..odd.clone() };
    let tiny = Setup { scratch_bytes: 0x1f, buffer_bytes: 0x10, tail_pages: 1, paging: false, ..odd.clone() };
    [odd, adjacent, tiny]
}

/// The operands at which something changes.
fn alphabet() -> Vec<Op> {
    let basic = MappingKind::Basic { r: true, w: true, x: false };
    let cow = MappingKind::Cow { r: true, x: false };
    let map = |phys, virt, length, kind| Op::Map { phys, virt, length, kind };
    let word = |address, value| Op::GuestWord { address, value };
    vec![
        map(0x2000, 0, 0x2000, basic),
        map(0x3000, 0x1000, 0x2000, cow),
        map(0x1200, 0, 0x1000, basic),
        map(SCRATCH, LAST_PAGE, 0x1000, basic),
        map(0, 0, 0x1000, MappingKind::Unmapped),
        Op::AllocTable,
        Op::SetRoot { root: TABLES | 0xfff },
        Op::SetRoot { root: u64::MAX },
        Op::ReadEntry { address: TABLES - 8 },
        Op::WriteEntry { address: TABLES, value: TABLES | 3 },
        Op::WriteEntry { address: TABLES + 0x2000, value: 0x83 },
        Op::WriteEntry { address: TABLES + 0x3000, value: 0x1601 },
        Op::WriteEntry { address: u64::MAX, value: u64::MAX },
        Op::FillEntries { address: TABLES, count: 4, value: TABLES | 3 },
        Op::Walk { address: 0, length: 0x3000 },
        Op::Walk { address: LAST_PAGE, length: 0x1000 },
        Op::Walk { address: 1 << 47, length: 1 },
        Op::Walk { address: 7, length: u64::MAX },
        Op::Read { address: 0xfff, length: 2 },
        Op::Read { address: LAST_PAGE, length: 0x1000 },
        Op::Read { address: 0, length: 1 << 40 },
        Op::Read { address: 0x2fff, length: 0x2000 },
        Op::Regions,
        Op::GuestWrite { address: 0x3ff8, seed: 1, length: 0x10 },
        word(SCRATCH, u64::MAX),
        word(SCRATCH, 0x10),
        word(SCRATCH + 8, 0),
        word(SCRATCH + 0x40, u64::MAX),
        Op::SharedRead { backing: Backing::Snapshot, offset: u64::MAX, length: 2 },
        Op::SharedRead { backing: Backing::Mapped(1), offset: 0, length: 0xfff },
        Op::Push { seed: 0, length: 0, prefix: Prefix::None },
        Op::Push { seed: 0, length: 8, prefix: Prefix::Right },
        Op::Push { seed: 0, length: 3, prefix: Prefix::Number(u32::MAX) },
        Op::Pop,
        Op::PopPrefixed,
        Op::Clear,
        Op::Snapshot { slot: Slot::new_folded(0) },
        Op::Restore { slot: Slot::new_folded(0) },
        Op::Build,
        Op::AddFileMapping { address: 0, length: u64::MAX },
    ]
}

#[test]
fn every_short_sequence_of_ops_agrees() {
    let registry = Registry::built_in();
    let target = registry.index_of("page_walk", "hardened").and_then(|index| registry.get(index)).unwrap();
    let (place, mut counts) = (AtomicU32::new(0), [0; COUNTS]);
    let mut journal = Journal { place: &place, counts: &mut counts, features: None, ops: 0 };
    let alphabet = alphabet();
    let mut traces = 0;
    for setup in setups() {
        let mut runner = target.runner();
        for first in &alphabet {
            for second in &alphabet {
                for third in &alphabet {
                    let ops = vec![first.clone(), second.clone(), third.clone()];
                    let trace = Trace::<PageWalk> { setup: setup.clone(), ops };
                    let ended = runner.run(&trace.to_wire(), Audits::EveryStep, &mut journal);
                    assert_eq!(ended, Ended::Agreed, "{trace:?}");
                    traces += 1;
                }
            }
        }
        runner.finish(&mut journal);
    }
    assert_eq!(traces, 3 * alphabet.len().pow(3));
}

#[test]
fn hardened_claims_nothing() {
    let registry = Registry::built_in();
    let target = registry.index_of("page_walk", "hardened").and_then(|index| registry.get(index)).unwrap();
    assert_eq!(target.health(), Health::Sound);
    assert_eq!(target.claimed(), Vec::<&str>::new());
}

#[test]
fn a_reset_gives_back_what_was_written() {
    let [setup, ..] = setups();
    let view = |subject: &mut Hardened| {
        let mut view = View { wants_bytes: true, ..View::default() };
        subject.view(&mut view);
        view
    };
    let mut used = Hardened::new(&setup).unwrap();
    let fresh = view(&mut used);
    let mut seen = Outcome::default();
    for op in alphabet() {
        used.apply(&op, &mut seen);
    }
    assert!(used.reset(&setup));
    let after = view(&mut used);
    assert_eq!((after.bookkeeping, after.backings, after.entries), (fresh.bookkeeping, fresh.backings, fresh.entries));
}
