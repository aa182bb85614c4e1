//! The dirty log: what must be in it, what may, and that base and diffs are memory, whatever failed.

use super::super::super::{DirtyLogSetup, Error, GuestAddress, PageWrite, RamRange, laws};
use super::super::*;
use crate::{Contract as _, Divergence};

const CPU: Owner = Owner::new_folded(0);
const FAILED: Seen = Seen::Error(Error::Other);

fn setup() -> Setup {
    // Two pages; the second write to an image fails.
    Setup { dirty_log: Some(DirtyLogSetup { refused: vec![1] }), ..Setup::flat(0x2000) }
}

fn model() -> GuestMemoryModel {
    GuestMemoryModel::new(&setup(), &GuestMemoryContract::STRICT)
}

/// The verdict on a step that answers so.
fn step(model: &mut GuestMemoryModel, op: &Op, result: Seen, fill: impl FnOnce(&mut Outcome)) -> Verdict {
    let mut seen = Outcome::default();
    model.arrange(op, &mut seen);
    seen.result = result;
    fill(&mut seen);
    model.judge(op, &seen)
}

fn agree(model: &mut GuestMemoryModel, op: &Op, result: Seen) {
    assert_eq!(step(model, op, result, |_| {}), Verdict::Agree, "{op:?}");
}

fn read_log(model: &mut GuestMemoryModel, pages: &[u64]) -> Verdict {
    step(model, &Op::DirtyLog { owner: CPU }, Seen::Done, |seen| seen.pages.extend(pages))
}

fn take_log(model: &mut GuestMemoryModel, pages: &[u64]) -> Verdict {
    step(model, &Op::TakeDirtyLog { owner: CPU }, Seen::Done, |seen| seen.pages.extend(pages))
}

/// A dump of these bytes, each an address, a byte that is repeated, and how often.
fn dump(model: &mut GuestMemoryModel, result: Seen, writes: &[(u64, &[u8])]) -> Verdict {
    let first = model.dirty_writes();
    step(model, &Op::DumpDirty { owner: CPU }, result, |seen| {
        for (number, (address, bytes)) in (first..).zip(writes) {
            let refused = number == 1;
            seen.page_writes.push(PageWrite { address: *address, length: bytes.len() as u32, refused });
            seen.dump.extend(*bytes);
        }
    })
}

fn place(verdict: Verdict) -> Option<(&'static str, Option<u64>)> {
    let Verdict::Diverge(Divergence { law, field, place }) = verdict else { return None };
    assert_eq!(law, if field == "page" { laws::DUMP.name } else { laws::DIRTY.name });
    Some((field, place))
}

fn write(address: u64, value: u64) -> Op {
    Op::Write { owner: CPU, address: GuestAddress(address), value, size: 8 }
}

/// A page of zeros, but for a byte at an offset.
fn page(offset: usize, byte: u8) -> [u8; 0x1000] {
    let mut page = [0; 0x1000];
    page[offset] = byte;
    page
}

#[test]
fn whatever_stores_marks_each_of_its_pages() {
    let at = GuestAddress(0xffc);
    let bulk = Op::WriteBulk { owner: CPU, address: at, seed: 1, length: TransferLength::new_folded(8) };
    let restore = Op::Restore { owner: CPU, payload: Payload { seed: 1, length: 0x2000 } };
    for op in [write(0xffc, 0), bulk, restore, Op::RestoreDump { owner: CPU }] {
        for (shown, expected) in
            [(&[0, 0x1000][..], None), (&[0], Some(("log", Some(0x1000)))), (&[0x1000], Some(("log", Some(0))))]
        {
            let mut model = model();
            agree(&mut model, &op, Seen::Done);
            assert_eq!(place(read_log(&mut model, shown)), expected, "{op:?} {shown:x?}");
        }
    }
    let mut model = model();
    agree(&mut model, &Op::LoadReserved { owner: CPU, address: GuestAddress(8), size: 8 }, Seen::Value(0));
    let store = Op::StoreConditional { owner: CPU, address: GuestAddress(8), value: 0, size: 8 };
    agree(&mut model, &store, Seen::Stored(true));
    assert_eq!(place(read_log(&mut model, &[])), Some(("log", Some(0))));
    assert_eq!(take_log(&mut model, &[0]), Verdict::Agree);
    // It stores nothing now: the page may be in the log.
    agree(&mut model, &store, Seen::Stored(false));
    assert_eq!(read_log(&mut model.clone(), &[]), Verdict::Agree);
    assert_eq!(read_log(&mut model, &[0]), Verdict::Agree);
    let exchange =
        |expected| Op::CompareExchange { owner: CPU, address: GuestAddress(0x1000), expected, value: 1, size: 1 };
    agree(&mut model, &exchange(1), Seen::Exchanged { before: 0, stored: false });
    assert_eq!(read_log(&mut model, &[]), Verdict::Agree);
    agree(&mut model, &exchange(0), Seen::Exchanged { before: 0, stored: true });
    assert_eq!(place(read_log(&mut model, &[0])), Some(("log", Some(0x1000))));
}

#[test]
fn pages_that_no_store_named_are_not_in_the_log() {
    for (shown, wrong) in [(0x1000, 0x1000), (0x2000, 0x2000), (8, 8)] {
        let mut model = model();
        agree(&mut model, &write(0, 1), Seen::Done);
        agree(&mut model, &Op::Read { owner: CPU, address: GuestAddress(0x1000), size: 8 }, Seen::Value(0));
        assert_eq!(place(read_log(&mut model, &[0, shown])), Some(("log", Some(wrong))));
    }
    let contract = GuestMemoryContract { dirty_extra: true, ..GuestMemoryContract::STRICT };
    let mut lax = GuestMemoryModel::new(&setup(), &contract);
    assert_eq!(read_log(&mut lax, &[0x1000]), Verdict::Agree);
    assert_eq!(place(read_log(&mut lax, &[0x2000])), Some(("log", Some(0x2000))));
}

#[test]
fn a_dump_that_fails_loses_no_page() {
    let mut model = model();
    agree(&mut model, &write(0x10, 7), Seen::Done);
    agree(&mut model, &write(0x1010, 8), Seen::Done);
    let (low, high) = (page(0x10, 7), page(0x10, 8));
    assert_eq!(place(dump(&mut model.clone(), Seen::Done, &[(0, &low), (0x1000, &high)])), Some(("result", None)));
    assert_eq!(dump(&mut model, FAILED, &[(0, &low), (0x1000, &high)]), Verdict::Agree);
    assert_eq!(place(read_log(&mut model.clone(), &[])), Some(("log", Some(0))));
    assert_eq!(place(dump(&mut model.clone(), Seen::Done, &[(0x1000, &high)])), Some(("image", Some(0x10))));
    assert_eq!(place(dump(&mut model.clone(), FAILED, &[])), Some(("result", None)));
    // In any order, in pieces of any size.
    let pieces = [(0x1000, &high[..]), (0x800, &low[0x800..]), (0, &low[..0x800])];
    assert_eq!(dump(&mut model, Seen::Done, &pieces), Verdict::Agree);
    assert_eq!(read_log(&mut model, &[]), Verdict::Agree);
    assert_eq!(dump(&mut model, Seen::Done, &[]), Verdict::Agree);
}

#[test]
fn an_image_has_what_memory_has() {
    let mut model = model();
    agree(&mut model, &write(0x10, 7), Seen::Done);
    assert_eq!(place(dump(&mut model.clone(), Seen::Done, &[(0, &page(0x10, 6))])), Some(("page", Some(0x10))));
    assert_eq!(
        place(dump(&mut model.clone(), Seen::Done, &[(0, &page(0x10, 7)[..0x10])])),
        Some(("image", Some(0x10)))
    );
    assert_eq!(place(dump(&mut model.clone(), Seen::Done, &[(0xfff, &[0, 0])])), Some(("log", Some(0xfff))));
    assert_eq!(place(dump(&mut model.clone(), Seen::Done, &[(0x1fff, &[0, 0])])), Some(("image", Some(0x1fff))));
    // Whoever took the log sees to its pages.
    assert_eq!(take_log(&mut model, &[0]), Verdict::Agree);
    assert_eq!(dump(&mut model, Seen::Done, &[]), Verdict::Agree);
}

#[test]
fn pages_begin_at_their_multiples_wherever_ram_does() {
    let range = |base, bytes| RamRange { base, bytes };
    let ram = vec![range(0xff8, 0x10), range(0x1800, 0x10), range(u64::MAX - 8, 8)];
    let setup = Setup { dirty_log: Some(DirtyLogSetup::default()), ..Setup::ranges(ram) };
    let mut model = GuestMemoryModel::new(&setup, &GuestMemoryContract::STRICT);
    agree(&mut model, &Op::RestoreDump { owner: CPU }, Seen::Done);
    let top = u64::MAX - 0xfff;
    assert_eq!(read_log(&mut model, &[top, 0, 0x1000]), Verdict::Agree);
    assert_eq!(place(read_log(&mut model, &[0, 0x1000])), Some(("log", Some(top))));
}

#[test]
fn without_a_log_in_the_setup_all_is_skipped() {
    let mut model = GuestMemoryModel::new(&Setup::flat(0x2000), &GuestMemoryContract::STRICT);
    for op in [Op::DirtyLog { owner: CPU }, Op::TakeDirtyLog { owner: CPU }, Op::DumpDirty { owner: CPU }] {
        agree(&mut model, &op, Seen::Skipped);
        assert!(matches!(step(&mut model, &op, Seen::Done, |_| {}), Verdict::Diverge(_)));
    }
}

#[test]
fn what_a_refused_transfer_wrote_after_all_is_in_the_log_or_in_the_image() {
    let contract = GuestMemoryContract { partial_bulk: true, ..GuestMemoryContract::STRICT };
    let mut model = GuestMemoryModel::new(&setup(), &contract);
    let length = TransferLength::new_folded(8);
    let refused = Op::WriteBulk { owner: CPU, address: GuestAddress(0x1ffe), seed: 1, length };
    agree(&mut model, &refused, Seen::Error(Error::InvalidAddress));
    let bytes = &payload_of(1, length)[..2];
    let read = Op::Read { owner: CPU, address: GuestAddress(0x1ffe), size: 2 };
    let value = u64::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let mut taken = model.clone();
    agree(&mut model, &read, Seen::Value(value));
    assert_eq!(place(read_log(&mut model, &[])), Some(("log", Some(0x1000))));
    assert_eq!(take_log(&mut taken, &[0x1000]), Verdict::Agree);
    // A store that does not store names the page anew, and says nothing of what was there before.
    let store = Op::StoreConditional { owner: CPU, address: GuestAddress(0x1000), value: 0, size: 8 };
    agree(&mut taken, &store, Seen::Stored(false));
    agree(&mut taken, &read, Seen::Value(value));
    assert_eq!(read_log(&mut taken, &[]), Verdict::Agree);
    assert_eq!(dump(&mut taken, Seen::Done, &[]), Verdict::Agree);
}

impl GuestMemoryModel {
    fn dirty_writes(&self) -> u64 {
        self.dirty.page_writes()
    }
}
