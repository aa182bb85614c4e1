//! The laws by hand: each with outcomes or states that break it, and the field and place that the divergence names.

use super::super::super::{
    Access, Backing, MAX_READ_BYTES, MappingKind, Op, Outcome, PageWalkContract, Prefix, Refusal, RegionKind, Seen,
    Setup, Slot, Span, View, WorkBounds, laws,
};
use super::super::PageWalkModel;
use super::basic;
use crate::{Contract as _, Divergence, Law, Model as _, Verdict};

pub(super) const TABLES: u64 = 0x10_0000;
pub(super) const SCRATCH: u64 = (1 << 36) - 0x4000;
pub(super) const SLOT: Slot = Slot::new_folded(0);
const WALK: Op = Op::Walk { address: 0, length: 0x4000 };
const READ: Op = Op::Read { address: 0x10, length: 0x20 };

pub(super) fn setup() -> Setup {
    Setup { tail_pages: 1, ..Setup::plain() }
}

/// A model that has taken some steps.
pub(super) fn after(ops: &[Op]) -> PageWalkModel {
    let mut model = PageWalkModel::new(&setup(), &PageWalkContract::STRICT);
    ops.iter().for_each(|op| model.follow(op));
    model
}

/// The verdict on the one right outcome, altered.
fn verdict(model: &PageWalkModel, op: &Op, alter: impl FnOnce(&mut Outcome)) -> Verdict {
    let mut right = model.clone();
    right.follow(op);
    let want = right.want;
    let reserved_bytes = want.data.len() as u64;
    let mut seen = Outcome {
        result: want.result,
        spans: want.spans,
        regions: want.regions,
        data: want.data,
        reserved_bytes,
        runaway: false,
        ..Outcome::default()
    };
    alter(&mut seen);
    model.clone().judge(op, &seen)
}

#[track_caller]
fn diverges(before: &[Op], op: &Op, expected: (&Law, &str), alter: impl FnOnce(&mut Outcome)) {
    let model = after(before);
    assert_eq!(verdict(&model, op, |_| {}), Verdict::Agree, "{op:?}");
    expect(verdict(&model, op, alter), expected);
}

#[track_caller]
fn state_diverges(before: &[Op], expected: (&Law, &str), alter: impl FnOnce(&mut View)) {
    let model = after(before);
    let mut view = View { bookkeeping: model.memory.bookkeeping(), ..View::default() };
    for (held, bytes) in model.memory.held.iter().zip(&mut view.backings) {
        bytes.clone_from(&held.bytes);
    }
    view.entries.extend_from_slice(model.tables.entries());
    assert_eq!(model.audit(&view), Verdict::Agree);
    alter(&mut view);
    expect(model.audit(&view), expected);
}

#[track_caller]
pub(super) fn expect(verdict: Verdict, (law, field): (&Law, &str)) {
    let Verdict::Diverge(Divergence { law: seen_law, field: seen_field, place: _ }) = verdict else {
        panic!("{verdict:?} instead of {}", law.name);
    };
    assert_eq!((seen_law, seen_field), (law.name, field));
}

pub(super) fn answers(result: Seen) -> impl FnOnce(&mut Outcome) {
    move |seen| seen.result = result
}

pub(super) fn refuses(refusal: Refusal) -> impl FnOnce(&mut Outcome) {
    answers(Seen::Refused(refusal))
}

/// Two pages of the snapshot.
pub(super) fn mapped() -> [Op; 1] {
    [basic(0x1000, 0, 2)]
}

pub(super) fn push(length: u16) -> Op {
    Op::Push { seed: 7, length, prefix: Prefix::Right }
}

#[test]
fn skipping_needs_a_claim() {
    for op in [WALK, READ, Op::Regions, Op::Pop, Op::Build, Op::AllocTable] {
        diverges(&[], &op, (&laws::ANSWER, "result"), answers(Seen::Skipped));
    }
}

#[test]
fn tables_hold_what_was_written() {
    let law = (&laws::TABLES, "result");
    diverges(&[], &Op::AllocTable, law, answers(Seen::Table(TABLES)));
    diverges(&[], &Op::AllocTable, law, refuses(Refusal::NoRoom));
    diverges(&[], &Op::ReadEntry { address: TABLES }, law, answers(Seen::Entry(1)));
    diverges(&[], &Op::WriteEntry { address: TABLES - 8, value: 1 }, law, refuses(Refusal::Corrupt));
    state_diverges(&mapped(), (&laws::TABLES, "state"), |view| view.entries[0] ^= 0x1000);
}

#[test]
fn mappings_are_refused_for_a_reason() {
    let law = (&laws::MAP, "result");
    diverges(&[], &mapped()[0], law, refuses(Refusal::NoRoom));
    diverges(&[], &basic(0x1200, 0, 1), law, answers(Seen::Done));
    diverges(&[], &basic(0x1000, 1 << 47, 1), law, answers(Seen::Done));
}

#[test]
fn walks_give_the_pages_that_are_there() {
    let law = (&laws::WALK, "pages");
    diverges(&mapped(), &WALK, law, |seen| seen.spans.clear());
    diverges(&mapped(), &WALK, law, |seen| seen.spans[0].phys += 0x1000);
    diverges(&mapped(), &WALK, law, |seen| seen.spans[0].bytes += 0x1000);
    diverges(&mapped(), &WALK, law, |seen| seen.spans.push(seen.spans[0]));
    diverges(&mapped(), &WALK, (&laws::WALK, "result"), refuses(Refusal::Gap));
}

#[test]
fn access_is_what_all_levels_allow() {
    let law = |field| (&laws::ACCESS, field);
    diverges(&mapped(), &WALK, law("writable"), |seen| seen.spans[0].access.writable = false);
    diverges(&mapped(), &WALK, law("executable"), |seen| seen.spans[0].access.executable = true);
    diverges(&mapped(), &WALK, law("copy_on_write"), |seen| seen.spans[0].access.copy_on_write = true);
    diverges(&mapped(), &Op::Regions, (&laws::ACCESS, "flags"), |seen| seen.regions[0].executable = true);
    diverges(&mapped(), &WALK, law("user"), |seen| seen.spans[0].access.user = true);
    diverges(&mapped(), &Op::Regions, (&laws::ACCESS, "flags"), |seen| seen.regions[0].user = true);
}

#[test]
fn work_is_bounded() {
    let law = (&laws::WORK, "result");
    diverges(&mapped(), &WALK, (&laws::WORK, "runaway"), |seen| seen.runaway = true);
    diverges(&mapped(), &WALK, law, refuses(Refusal::TooMuchWork));
    diverges(&[], &Op::Read { address: 0, length: MAX_READ_BYTES + 1 }, law, refuses(Refusal::Gap));
    diverges(&[], &basic(0, 0, 0x8001), law, answers(Seen::Done));
}

#[test]
fn ranges_are_canonical_and_may_be_empty() {
    let law = (&laws::RANGE, "result");
    diverges(&[], &Op::Walk { address: 1 << 47, length: 1 }, law, answers(Seen::Done));
    diverges(&[], &Op::Read { address: u64::MAX, length: 2 }, law, answers(Seen::Done));
    // A range over the hole is no matter of work.
    let over = Op::Read { address: 0, length: u64::MAX };
    diverges(&[], &over, law, refuses(Refusal::TooMuchWork));
    for address in [0, 7, 1 << 47] {
        diverges(&[], &Op::Walk { address, length: 0 }, (&laws::RANGE, "empty"), refuses(Refusal::BadRange));
        diverges(&[], &Op::Read { address, length: 0 }, (&laws::RANGE, "empty"), refuses(Refusal::Gap));
    }
    let page = Span { start: 0, phys: 0x1000, bytes: 0x1000, access: Access::default() };
    let empty = Op::Walk { address: 7, length: 0 };
    diverges(&mapped(), &empty, (&laws::RANGE, "empty_output"), |seen| seen.spans.push(page));
}

#[test]
fn reads_give_all_or_nothing() {
    diverges(&mapped(), &READ, (&laws::READ, "result"), refuses(Refusal::Gap));
    diverges(&mapped(), &READ, (&laws::READ, "bytes"), |seen| seen.data[31] ^= 1);
    diverges(&mapped(), &READ, (&laws::READ, "bytes"), |seen| seen.data.truncate(31));
    diverges(&[], &READ, (&laws::READ, "result"), answers(Seen::Done));
    diverges(&[], &READ, (&laws::READ, "output"), |seen| seen.data.push(0));
}

/// Two pages, of which user mode may read the first: by hand, so that each table has the user bit or not as here.
fn for_users(of_table: u64) -> Vec<Op> {
    let entry = |table: u64, value| Op::WriteEntry { address: TABLES + 0x1000 * table, value };
    let mut ops = mapped().to_vec();
    ops.extend((0..3).map(|table| entry(table, (TABLES + 0x1000 * (table + 1)) | of_table)));
    ops.push(entry(3, 0x1007));
    ops
}

#[test]
fn one_address_is_translated_as_a_walk_does() {
    let op = Op::Translate { address: 0x1234 };
    diverges(&mapped(), &op, (&laws::WALK, "pages"), |seen| seen.spans[0].phys ^= 4);
    diverges(&mapped(), &op, (&laws::WALK, "result"), refuses(Refusal::Gap));
    diverges(&mapped(), &op, (&laws::ACCESS, "writable"), |seen| seen.spans[0].access.writable = false);
    diverges(&[], &op, (&laws::WALK, "result"), answers(Seen::Done));
    diverges(&[], &Op::Translate { address: 1 << 47 }, (&laws::RANGE, "result"), answers(Seen::Done));
    let mut model = after(&mapped());
    model.follow(&op);
    assert_eq!((model.want.spans[0].start, model.want.spans[0].phys, model.want.spans[0].bytes), (0x1234, 0x2234, 1));
}

#[test]
fn user_mode_reads_its_own_pages() {
    let read = |length| Op::ReadAsUser { address: 0xff0, length };
    let law = (&laws::PRIVILEGE, "result");
    diverges(&for_users(7), &read(0x10), law, refuses(Refusal::Gap));
    diverges(&for_users(7), &read(0x11), law, answers(Seen::Done));
    diverges(&for_users(3), &read(0x10), law, answers(Seen::Done));
    diverges(&mapped(), &read(0x10), law, answers(Seen::Done));
    diverges(&for_users(7), &read(0x10), (&laws::READ, "bytes"), |seen| seen.data[1] ^= 1);
}

#[test]
fn allocations_follow_what_is_there() {
    let law = (&laws::ALLOCATION, "reserved");
    diverges(&mapped(), &READ, law, |seen| seen.reserved_bytes = 0x21);
    let gap = Op::Read { address: 0x1ff0, length: 0x20 };
    diverges(&mapped(), &gap, law, |seen| seen.reserved_bytes = 0x20);
    assert_eq!(verdict(&after(&mapped()), &gap, |seen| seen.reserved_bytes = 0x10), Verdict::Agree);
    diverges(&[], &Op::Pop, law, |seen| seen.reserved_bytes = 8);
}

#[test]
fn regions_lie_in_their_backing() {
    let law = (&laws::HOST, "host");
    diverges(&mapped(), &Op::Regions, law, |seen| seen.regions[0].host.bytes += 1);
    diverges(&mapped(), &Op::Regions, law, |seen| seen.regions[0].host.offset += 1);
    diverges(&mapped(), &Op::Regions, law, |seen| seen.regions[0].host.backing = None);
    diverges(&mapped(), &Op::Regions, law, |seen| seen.regions[0].host.backing = Some(Backing::Scratch));
}

#[test]
fn regions_are_what_is_mapped_and_as_few_as_can_be() {
    let law = (&laws::REGIONS, "ranges");
    diverges(&mapped(), &Op::Regions, law, |seen| seen.regions.clear());
    diverges(&mapped(), &Op::Regions, (&laws::REGIONS, "kind"), |seen| seen.regions[0].kind = RegionKind::Scratch);
    diverges(&mapped(), &Op::Regions, law, |seen| {
        let mut second = seen.regions[0];
        seen.regions[0].bytes -= 0x1000;
        seen.regions[0].host.bytes -= 0x1000;
        (second.start, second.bytes) = (0x1000, 0x1000);
        (second.host.offset, second.host.bytes) = (0x1000, 0x1000);
        seen.regions.push(second);
    });
    let copied = Op::Map { phys: 0x3000, virt: 0x2000, length: 0x1000, kind: MappingKind::Cow { r: true, x: false } };
    let two_kinds = [mapped()[0].clone(), copied];
    diverges(&two_kinds, &Op::Regions, law, |seen| {
        let second = seen.regions.remove(1);
        seen.regions[0].bytes += second.bytes;
        seen.regions[0].host.bytes += second.bytes;
    });
}

#[test]
fn accesses_of_guest_and_host_stay_inside() {
    let law = (&laws::GUEST_WRITE, "result");
    diverges(&[], &Op::GuestWord { address: SCRATCH, value: 1 }, law, refuses(Refusal::Gap));
    diverges(&[], &Op::GuestWord { address: 0x1000, value: 1 }, law, answers(Seen::Done));
    diverges(&[], &Op::GuestWord { address: (1 << 36) - 7, value: 1 }, law, answers(Seen::Done));
    let read = |offset, length| Op::SharedRead { backing: Backing::Snapshot, offset, length };
    let law = (&laws::SHARED_READ, "result");
    diverges(&[], &read(0x4000, 0x1000), law, refuses(Refusal::Gap));
    diverges(&[], &read(0x4000, 0x1001), law, answers(Seen::Done));
    diverges(&[], &read(u64::MAX, 2), law, answers(Seen::Done));
    diverges(&[], &read(0, 4), (&laws::SHARED_READ, "bytes"), |seen| seen.data.truncate(3));
    diverges(&[], &read(0, 4), (&laws::MEMORY, "bytes"), |seen| seen.data[3] ^= 1);
    let scratch = |offset| Op::SharedRead { backing: Backing::Scratch, offset, length: 4 };
    diverges(&[], &scratch(0x1000), (&laws::TAIL, "bytes"), |seen| seen.data[0] ^= 1);
    diverges(&[], &scratch(0x3fe0), (&laws::BOOKKEEPING, "bytes"), |seen| seen.data[0] ^= 1);
    diverges(&[], &scratch(0x3fdd), (&laws::MEMORY, "bytes"), |seen| seen.data[2] ^= 1);
}

#[test]
fn the_buffer_gives_back_what_it_took() {
    let result = (&laws::BUFFER, "result");
    diverges(&[], &push(8), result, refuses(Refusal::NoRoom));
    diverges(&[], &push(0x400), result, answers(Seen::Done));
    diverges(&[push(8)], &Op::Pop, (&laws::BUFFER, "bytes"), |seen| seen.data[0] ^= 1);
    diverges(&[push(3)], &Op::PopPrefixed, result, answers(Seen::Done));
    diverges(&[push(3)], &Op::PopPrefixed, (&laws::BUFFER, "output"), |seen| seen.data.push(0));
    let hostile = [push(8), Op::GuestWord { address: SCRATCH + 16, value: 0 }];
    diverges(&hostile, &Op::Pop, result, answers(Seen::Done));
    diverges(&hostile, &Op::Clear, result, refuses(Refusal::Corrupt));
    // What a refused pop or an empty buffer leaves behind.
    let refused = [push(3), Op::PopPrefixed];
    state_diverges(&refused, (&laws::MEMORY, "state"), |view| view.backings[0][0] = 8);
    state_diverges(&[push(8), Op::Clear], (&laws::MEMORY, "state"), |view| view.backings[0][16] = 8);
}

#[test]
fn file_mappings_and_generations_are_counted() {
    let add = Op::AddFileMapping { address: 0, length: 1 };
    let law = (&laws::FILE_MAPPING, "result");
    diverges(&[], &add, law, refuses(Refusal::NoRoom));
    let eight = std::array::from_fn::<_, 8, _>(|_| add.clone());
    diverges(&eight, &add, law, answers(Seen::Done));
    let snapshot = Op::Snapshot { slot: SLOT };
    let law = (&laws::GENERATION, "result");
    diverges(&[], &snapshot, law, answers(Seen::Generation(2)));
    let twice = [snapshot.clone(), Op::Snapshot { slot: Slot::new_folded(1) }];
    diverges(&twice, &Op::Restore { slot: SLOT }, law, answers(Seen::Generation(2)));
    diverges(&[], &Op::Restore { slot: SLOT }, law, answers(Seen::Generation(0)));
}

/// A full audit repeats whatever a sample says.
#[test]
fn a_full_audit_says_all_that_a_sample_says() {
    let model = after(&mapped());
    for word in 0..4 {
        let mut words = model.memory.bookkeeping().unwrap();
        words[word] ^= 1;
        let sample = View { bookkeeping: Some(words), ..View::default() };
        let full = View {
            bookkeeping: Some(words),
            backings: std::array::from_fn(|index| {
                model.memory.held.get(index).map_or_else(Vec::new, |held| held.bytes.clone())
            }),
            entries: model.tables.entries().to_vec(),
            ..View::default()
        };
        assert_ne!(model.audit(&sample), Verdict::Agree);
        assert_eq!(model.audit(&full), model.audit(&sample));
    }
}

#[test]
fn the_hosts_handle_alone_aborts() {
    let handles = |host_aborts, guest_aborts| answers(Seen::Handles { host_aborts, guest_aborts });
    diverges(&[], &Op::Build, (&laws::HANDLES, "result"), handles(true, true));
    diverges(&[], &Op::Build, (&laws::HANDLES, "result"), handles(false, false));
    diverges(&[], &Op::Build, (&laws::HANDLES, "result"), refuses(Refusal::NoRoom));
}

#[test]
fn states() {
    let mapped = mapped();
    for word in 0..4 {
        let alter = |view: &mut View| {
            view.bookkeeping = view.bookkeeping.map(|mut words| {
                words[word] ^= 1;
                words
            });
        };
        state_diverges(&mapped, (&laws::BOOKKEEPING, "state"), alter);
    }
    // The tail's copy begins at the first page after the list of file mappings.
    state_diverges(&mapped, (&laws::TAIL, "state"), |view| view.backings[0][0x1000] ^= 1);
    state_diverges(&mapped, (&laws::TAIL, "state"), |view| view.backings[0][0x1fff] ^= 1);
    state_diverges(&mapped, (&laws::MEMORY, "state"), |view| view.backings[0][0xfff] ^= 1);
    state_diverges(&mapped, (&laws::MEMORY, "state"), |view| view.backings[1][0] ^= 1);
    state_diverges(&mapped, (&laws::MEMORY, "stray"), |view| view.stray = Some((Backing::Scratch, 1)));
}

#[test]
fn eight_entries_to_their_own_root_are_as_many_leaves_as_small_bounds_allow() {
    for (count, is_too_much) in [(8, false), (9, true)] {
        let small = Setup { work_bounds: WorkBounds::Small, ..setup() };
        let mut model = PageWalkModel::new(&small, &PageWalkContract::STRICT);
        model.follow(&Op::FillEntries { address: TABLES, count, value: TABLES | 3 });
        model.follow(&Op::Regions);
        assert_eq!(model.want.result == Seen::Refused(Refusal::TooMuchWork), is_too_much, "{count}");
    }
}
