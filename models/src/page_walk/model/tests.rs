//! The model's tests: each law by hand, its enumeration of pages beside the walk of one address, and hostile tables.

mod follow;
mod laws;

use super::super::translate::{self, NO_EXECUTE, PRESENT, Role, USER, WRITABLE, role, walk};
use super::super::{MappingKind, Op, PAGE_BYTES, PageWalkContract, Seen, Setup, Span, WorkBounds};
use super::PageWalkModel;
use crate::{Contract as _, Model as _};
use proptest::prelude::*;

fn model() -> PageWalkModel {
    PageWalkModel::new(&Setup::plain(), &PageWalkContract::STRICT)
}

fn basic(phys: u64, virt: u64, pages: u64) -> Op {
    Op::Map { phys, virt, length: pages * PAGE_BYTES, kind: MappingKind::Basic { r: true, w: true, x: false } }
}

/// Page by page: what the walk of each address says of a few pages.
fn naive(model: &PageWalkModel, address: u64, pages: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    for page in 0..pages {
        let start = address + page * PAGE_BYTES;
        if let Some(found) = walk(|entry| model.tables.read(entry), model.tables.root, start) {
            let access = super::super::Access {
                writable: found.writable,
                executable: found.executable,
                copy_on_write: found.copy_on_write,
                user: found.user,
            };
            Span::append(&mut spans, Span { start, phys: found.gpa, bytes: PAGE_BYTES, access });
        }
    }
    spans
}

fn walked(model: &mut PageWalkModel, address: u64, length: u64) -> (Seen, Vec<Span>) {
    model.follow(&Op::Walk { address, length });
    (model.want.result, model.want.spans.clone())
}

/// A raw entry: hostile flags, and addresses in the table buffer or elsewhere.
fn entries() -> impl Strategy<Value = u64> {
    let address =
        prop_oneof![(0..8_u64).prop_map(|table| 0x10_0000 + table * 0x1000), any::<u32>().prop_map(u64::from)];
    let flags =
        prop_oneof![Just(PRESENT | WRITABLE), Just(PRESENT | WRITABLE | USER), 0..0x1000_u64, Just(0x81), Just(0x201)];
    (address, flags, any::<bool>())
        .prop_map(|(address, flags, no_execute)| address & !0xfff | flags | if no_execute { NO_EXECUTE } else { 0 })
}

proptest! {
    #[test]
    fn the_enumeration_equals_the_walk_of_each_address(
        maps in proptest::collection::vec((0..64_u64, 0..16_u64, 1..4_u64), 1..6),
        writes in proptest::collection::vec((0..8_u64, 0..16_u64, entries()), 0..12),
        first in 0..16_u64,
    ) {
        let mut model = model();
        for (phys, virt, pages) in maps {
            model.follow(&basic(phys * 0x1000, virt * 0x1000, pages));
        }
        for (table, index, value) in writes {
            model.follow(&Op::WriteEntry { address: 0x10_0000 + table * 0x1000 + 8 * index, value });
        }
        let expected = naive(&model, first * 0x1000, 600);
        let (seen, spans) = walked(&mut model, first * 0x1000, 600 * 0x1000);
        prop_assert_eq!(seen, Seen::Done);
        prop_assert_eq!(spans, expected);
    }
}

#[test]
fn the_last_page_of_the_address_space_can_be_mapped() {
    let mut model = model();
    let last = 0xffff_ffff_ffff_f000;
    model.follow(&basic(0x1000, last, 1));
    assert_eq!(model.want.result, Seen::Done);
    let (seen, spans) = walked(&mut model, last, 0x1000);
    assert_eq!((seen, spans.len(), spans[0].start, spans[0].phys), (Seen::Done, 1, last, 0x1000));
}

#[test]
fn reserved_bits_of_large_leaves_and_ps_in_the_root_map_nothing() {
    assert_eq!(role(0x20_0081, 1), Role::Leaf(0x20_0000));
    assert_eq!(role(0x20_1081, 1), Role::Leaf(0x20_0000), "bit 12 is PAT");
    assert_eq!(role(0x20_2081, 1), Role::Nothing);
    assert_eq!(role(0x4000_0081, 2), Role::Leaf(0x4000_0000));
    assert_eq!(role(0x4020_0081, 2), Role::Nothing);
    assert_eq!(role(0x81, 3), Role::Nothing);
    assert_eq!(role(0x2000_0080, 1), Role::Nothing, "not present");
}

#[test]
fn one_entry_that_points_to_its_own_table_is_one_page_for_each_full_path() {
    let mut model = model();
    let root = model.tables.root;
    model.follow(&Op::WriteEntry { address: root, value: root | PRESENT | WRITABLE });
    let (seen, spans) = walked(&mut model, 0, 1 << 47);
    assert_eq!((seen, spans.len()), (Seen::Done, 1));
    assert!(model.has_table_cycle());
}

#[test]
fn a_root_full_of_itself_is_too_much_work() {
    let setup = Setup { work_bounds: WorkBounds::Small, ..Setup::plain() };
    let mut model = PageWalkModel::new(&setup, &PageWalkContract::STRICT);
    let root = model.tables.root;
    model.follow(&Op::FillEntries { address: root, count: 512, value: root | PRESENT | WRITABLE });
    model.follow(&Op::Regions);
    assert_eq!(model.want.result, Seen::Refused(super::super::Refusal::TooMuchWork));
    assert!(model.want.regions.is_empty());
}

#[test]
fn canonical_addresses_end_with_copies_of_bit_47() {
    for address in [0, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, u64::MAX] {
        assert!(translate::is_canonical(address), "{address:#x}");
    }
    for address in [0x8000_0000_0000, 1 << 48, 0xffff_7fff_ffff_ffff, 1 << 63] {
        assert!(!translate::is_canonical(address), "{address:#x}");
    }
}
