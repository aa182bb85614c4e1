//! What the model follows: bits, bytes, tables and files that are as the subject shows them, and then stay so.

use super::super::super::{
    Backing, File, MappedSetup, MappingKind, Op, Outcome, PageWalkContract, Refusal, Seen, Setup, Slot, View, laws,
};
use super::super::PageWalkModel;
use super::laws::{SCRATCH, SLOT, TABLES, after, answers, expect, mapped, push, refuses, setup};
use crate::{Contract as _, Model as _, Verdict};

/// The verdict on the right outcome, altered, after which the model judges what follows.
fn judged(model: &mut PageWalkModel, op: &Op, alter: impl FnOnce(&mut Outcome)) -> Verdict {
    let mut right = model.clone();
    right.follow(op);
    let mut seen = Outcome { result: right.want.result, spans: right.want.spans, ..Outcome::default() };
    seen.data = right.want.data;
    alter(&mut seen);
    model.judge(op, &seen)
}

#[test]
fn bits_that_no_text_fixes_are_what_they_were_seen_to_be() {
    let mut model = after(&mapped());
    let root = Op::ReadEntry { address: TABLES };
    let with = |entry| answers(Seen::Entry(entry));
    let right = model.tables.read(TABLES);
    expect(judged(&mut model, &root, with(right ^ 2)), (&laws::TABLES, "result"));
    assert_eq!(judged(&mut model, &root, with(right ^ 0x24)), Verdict::Agree);
    expect(judged(&mut model, &root, with(right)), (&laws::TABLES, "result"));
    // What was written by hand is as it was written.
    model.follow(&Op::WriteEntry { address: TABLES, value: right });
    expect(judged(&mut model, &root, with(right ^ 0x24)), (&laws::TABLES, "result"));
    // Of the entry of a page that was taken away the present bit alone is fixed.
    let page = Op::ReadEntry { address: TABLES + 0x3000 };
    model.follow(&Op::Map { phys: 0, virt: 0, length: 0x1000, kind: MappingKind::Unmapped });
    expect(judged(&mut model, &page, with(0x1001)), (&laws::TABLES, "result"));
    assert_eq!(judged(&mut model, &page, with(0x1062)), Verdict::Agree);
    expect(judged(&mut model, &page, with(0)), (&laws::TABLES, "result"));
    // The tail has the same bits as the entries that it was copied from.
    let mut model = after(&[mapped()[0].clone(), Op::Snapshot { slot: SLOT }]);
    let tail = Op::SharedRead { backing: Backing::Snapshot, offset: 0x4000, length: 8 };
    expect(judged(&mut model, &tail, |seen| seen.data[0] ^= 2), (&laws::MEMORY, "bytes"));
    assert_eq!(judged(&mut model, &tail, |seen| seen.data[0] ^= 0x20), Verdict::Agree);
    expect(judged(&mut model, &tail, |seen| seen.data[0] ^= 0x20), (&laws::MEMORY, "bytes"));
}

#[test]
fn what_was_popped_is_there_still_or_wiped() {
    let again = [Op::GuestWord { address: SCRATCH, value: 24 }];
    let popped = || {
        let mut model = after(&[push(8)]);
        assert_eq!(judged(&mut model, &Op::Pop, |_| {}), Verdict::Agree);
        model
    };
    let element = Op::SharedRead { backing: Backing::Scratch, offset: 8, length: 16 };
    let mut kept = after(&[push(8)]);
    kept.follow(&element);
    let kept = kept.want.data;
    for (data, other) in [(kept.clone(), vec![0; 16]), (vec![0; 16], kept.clone())] {
        let mut model = popped();
        assert_eq!(judged(&mut model, &element, |seen| seen.data = data), Verdict::Agree);
        expect(judged(&mut model, &element, |seen| seen.data = other), (&laws::MEMORY, "bytes"));
    }
    expect(judged(&mut popped(), &element, |seen| seen.data[0] = 0xff), (&laws::MEMORY, "bytes"));
    // A pointer that is set back finds the element, or nothing.
    for is_there in [false, true] {
        let mut model = popped();
        model.follow(&again[0]);
        let verdict = judged(&mut model, &Op::Pop, |seen| {
            if is_there {
                seen.result = Seen::Done;
                seen.data = kept[..8].to_vec();
            }
        });
        assert_eq!(verdict, Verdict::Agree);
        expect(judged(&mut model, &again[0], refuses(Refusal::Gap)), (&laws::GUEST_WRITE, "result"));
    }
    let mut model = popped();
    model.follow(&again[0]);
    let wrong = |seen: &mut Outcome| (seen.result, seen.data) = (Seen::Done, vec![1; 8]);
    expect(judged(&mut model, &Op::Pop, wrong), (&laws::BUFFER, "bytes"));
}

#[test]
fn tables_on_the_way_to_a_page_without_room_are_made_or_not() {
    let full: Vec<_> = (0..29).map(|_| Op::AllocTable).collect();
    // The root and 29 tables leave room for two of three.
    for shown in [None, Some(30), Some(31), Some(32)] {
        let mut model = after(&full);
        assert_eq!(judged(&mut model, &mapped()[0], |seen| seen.tables = shown), Verdict::Agree);
        let made = shown.unwrap_or(32) - 30;
        assert_eq!(model.tables.count(), 30 + made);
        assert_eq!(model.tables.read(TABLES) != 0, made != 0);
        let verdict = judged(&mut model, &Op::AllocTable, |_| {});
        assert_eq!(
            (verdict, model.want.result),
            (
                Verdict::Agree,
                match made {
                    2 => Seen::Refused(Refusal::NoRoom),
                    made => Seen::Table(TABLES + 0x1000 * (30 + made)),
                }
            )
        );
    }
    for shown in [29, 33] {
        let verdict = judged(&mut after(&full), &mapped()[0], |seen| seen.tables = Some(shown));
        expect(verdict, (&laws::TABLES, "count"));
    }
}

/// The tables that mappings make carry the user bit, all or none.
#[test]
fn tables_are_for_users_or_not() {
    let leaf = Op::WriteEntry { address: TABLES + 0x3000, value: 0x1007 };
    let walk = Op::Walk { address: 0, length: 0x1000 };
    let is_user = |user| move |seen: &mut Outcome| seen.spans[0].access.user = user;
    for users in [false, true] {
        let mut model = after(&[mapped()[0].clone(), leaf.clone()]);
        assert_eq!(judged(&mut model, &walk, is_user(users)), Verdict::Agree);
        if users {
            expect(judged(&mut model, &walk, is_user(false)), (&laws::ACCESS, "user"));
            let root = model.tables.read(TABLES);
            expect(
                judged(&mut model, &Op::ReadEntry { address: TABLES }, answers(Seen::Entry(root))),
                (&laws::TABLES, "result"),
            );
        }
        let mut model = after(&[mapped()[0].clone(), leaf.clone()]);
        let root = model.tables.read(TABLES) | if users { 4 } else { 0 };
        assert_eq!(judged(&mut model, &Op::ReadEntry { address: TABLES }, answers(Seen::Entry(root))), Verdict::Agree);
        expect(judged(&mut model, &walk, is_user(!users)), (&laws::ACCESS, "user"));
    }
}

#[test]
fn files_come_and_go_and_a_snapshot_knows_which_are_there() {
    let setup = Setup {
        mapped: vec![MappedSetup { gpa: 0x40_0000, bytes: 0x1000, writable: true, executable: false }],
        paging: false,
        ..setup()
    };
    let (file, read) = (File::new_folded(0), Op::Read { address: 0x40_0000, length: 8 });
    let mut model = PageWalkModel::new(&setup, &PageWalkContract::STRICT);
    let expect_read = |model: &mut PageWalkModel, ops: &[Op], is_there: bool| {
        ops.iter().for_each(|op| model.follow(op));
        model.follow(&read);
        assert_eq!(model.want.result == Seen::Done, is_there, "{ops:?}");
        let view = View { mapped: Some(u8::from(!is_there)), ..View::default() };
        expect(model.audit(&view), (&laws::MAPPED, "state"));
    };
    let (map, unmap) = (Op::MapFile { file }, Op::UnmapFile { file });
    expect_read(&mut model, &[Op::Snapshot { slot: SLOT }, unmap.clone()], false);
    expect_read(&mut model, &[Op::Snapshot { slot: Slot::new_folded(1) }, Op::Restore { slot: SLOT }], true);
    expect_read(&mut model, &[Op::Restore { slot: Slot::new_folded(1) }], false);
    expect(judged(&mut model, &unmap, answers(Seen::Done)), (&laws::MAPPED, "result"));
    expect_read(&mut model, std::slice::from_ref(&map), true);
    expect(judged(&mut model, &map, answers(Seen::Done)), (&laws::MAPPED, "result"));
    expect(
        judged(&mut model, &Op::UnmapFile { file: File::new_folded(1) }, answers(Seen::Done)),
        (&laws::MAPPED, "result"),
    );
}
