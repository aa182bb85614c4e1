//! Each broken subject agrees with the hardened one up to its trigger, and differs there.

use super::*;
use memtwin_models::guest_memory::{DirtyLogSetup, Error};
use memtwin_models::{Component as _, Payload};
use memtwin_subjects::guest_memory::defects::*;
use memtwin_subjects::guest_memory::{Original, PhysicalMemorySubject, PublishedFix};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs both; the first `agreed` ops show the same, and the one after differs.
fn differs_after<S: Subject<GuestMemory>>(agreed: usize, setup: &Setup, ops: &[Op]) {
    let expected = steps(&mut soft_mmu(setup), ops);
    let seen = steps(&mut build::<S>(setup), ops);
    assert_eq!(seen[..agreed], expected[..agreed], "{} before its trigger", S::NAME);
    assert_ne!(seen[agreed], expected[agreed], "{} at its trigger {:?}", S::NAME, ops[agreed]);
}

fn agrees<S: Subject<GuestMemory>>(setup: &Setup, ops: &[Op]) {
    assert_eq!(steps(&mut build::<S>(setup), ops), steps(&mut soft_mmu(setup), ops), "{}", S::NAME);
}

#[test]
fn names_are_ids() {
    let expected = (1..=16).chain(18..=36).map(|number| format!("GM-{number:02}"));
    assert!(expected.eq(ROWS.iter().map(|row| row.name.to_owned())));
    assert!(ROWS.iter().all(|row| row.health.id() == row.name));
}

#[test]
fn gm_04_panics_where_the_end_wraps() {
    let setup = Setup::flat(65_536);
    agrees::<Broken<gm_04_end_wraps::Gm04>>(
        &setup,
        &[read_bulk(u64::MAX, 0), read_bulk(65_536 - 8, 9), write_bulk(u64::MAX - 9, 0, 9)],
    );
    for op in [read_bulk(u64::MAX, 2), write_bulk(u64::MAX, 0, 2)] {
        assert!(catch_unwind(|| step(&mut build::<Broken<gm_04_end_wraps::Gm04>>(&setup), &op)).is_err());
        assert!(catch_unwind(|| step(&mut build::<PublishedFix>(&setup), &op)).is_err());
        assert_eq!(step(&mut soft_mmu(&setup), &op).result, Seen::Error(Error::InvalidAddress));
    }
}

#[test]
fn gm_05_underflows_for_the_sizes_of_the_catalogue() {
    let refused: Vec<u64> = (0..300)
        .filter(|&size| {
            catch_unwind(|| build::<Broken<gm_05_construction_underflows::Gm05>>(&Setup::flat(size))).is_err()
        })
        .collect();
    for (from, to) in [(1, 14), (17, 29), (33, 44)] {
        assert!((from..=to).all(|size| refused.contains(&size)));
    }
    for size in [0, 15, 16, 30, 31, 32, 45, 48, 210, 299] {
        assert!(!refused.contains(&size), "{size}");
    }
    assert_eq!(refused.last(), Some(&209));
    for size in 0..300 {
        soft_mmu(&Setup::flat(size));
        assert_eq!(catch_unwind(|| build::<PublishedFix>(&Setup::flat(size))).is_err(), refused.contains(&size));
    }
}

#[test]
fn gm_06_loses_an_update() {
    let ops = |length| [load_reserved(0, 0x100, 8), write_bulk(0x100, 3, length), store_conditional(0, 0x100, 1, 8)];
    differs_after::<Broken<gm_06_bulk_store_keeps_reservations::Gm06>>(2, &Setup::flat(65_536), &ops(8));
    differs_after::<PublishedFix>(2, &Setup::flat(65_536), &ops(8));
    agrees::<Broken<gm_06_bulk_store_keeps_reservations::Gm06>>(&Setup::flat(65_536), &ops(0));
}

#[test]
fn gm_07_reads_beneath_a_device() {
    let setup = with_device(4096, 0x100, 16);
    differs_after::<Broken<gm_07_bulk_bypasses_devices::Gm07>>(1, &setup, &[read(0x100, 8), read_bulk(0x100, 8)]);
    differs_after::<Broken<gm_07_bulk_bypasses_devices::Gm07>>(0, &setup, &[write_bulk(0x100, 1, 8)]);
    differs_after::<PublishedFix>(1, &setup, &[read(0x100, 8), read_bulk(0x100, 8)]);
}

#[test]
fn gm_08_and_gm_09_look_at_the_start() {
    let setup = with_device(4096, 0x100, 16);
    differs_after::<Broken<gm_08_bulk_read_looks_at_start::Gm08>>(
        3,
        &setup,
        &[read_bulk(0x100, 16), read(0xfc, 8), write_bulk(0xfc, 1, 8), read_bulk(0xfc, 8)],
    );
    differs_after::<Broken<gm_08_bulk_read_looks_at_start::Gm08>>(0, &setup, &[read_bulk(0x10c, 8)]);
    differs_after::<Broken<gm_09_scalar_looks_at_start::Gm09>>(
        2,
        &setup,
        &[read_bulk(0xfc, 8), read(0x108, 8), read(0xfc, 8)],
    );
    differs_after::<Broken<gm_09_scalar_looks_at_start::Gm09>>(0, &setup, &[write(0x10c, 1, 8)]);
    differs_after::<Broken<gm_09_scalar_looks_at_start::Gm09>>(
        0,
        &setup,
        &[Op::FetchInstruction { owner: owner(0), address: GuestAddress(0xfe) }],
    );
}

#[test]
fn gm_10_applies_a_refused_write() {
    let setup = with_device(4096, 0x100, 16);
    differs_after::<Broken<gm_10_mixed_write_applies_memory::Gm10>>(
        2,
        &setup,
        &[write_bulk(0x10c, 1, 8), write_bulk(0xf0, 1, 32), read_bulk(0xf0, 16)],
    );
}

#[test]
fn gm_11_lets_one_byte_too_many_pass() {
    for size in [0, 16, 1000, 65_536] {
        let setup = Setup::flat(size);
        let fitting = [read_bulk(0, size), Op::MemorySize { owner: owner(0) }, DUMP(), read_bulk(0, size + 2)];
        agrees::<Broken<gm_11_end_off_by_one::Gm11>>(&setup, &fitting);
        differs_after::<Broken<gm_11_end_off_by_one::Gm11>>(0, &setup, &[read(size, 1)]);
        differs_after::<Broken<gm_11_end_off_by_one::Gm11>>(0, &setup, &[write_bulk(size, 1, 1)]);
    }
    differs_after::<Broken<gm_11_end_off_by_one::Gm11>>(
        1,
        &Setup::flat(65_536),
        &[read(65_536 - 8, 8), read(65_536 - 7, 8)],
    );
    let restore = |length| Op::Restore { owner: owner(0), payload: Payload { seed: 1, length } };
    agrees::<Broken<gm_11_end_off_by_one::Gm11>>(
        &Setup::flat(1000),
        &[restore(1000), restore(1001), DUMP(), Op::RestoreDump { owner: owner(0) }, DUMP()],
    );
}

#[test]
fn gm_12_needs_three_shards() {
    let setup = Setup::flat(65_536);
    agrees::<Broken<gm_12_third_shard_restarts::Gm12>>(
        &setup,
        &[write_bulk(0x0f00, 1, 0x1100), read_bulk(0x0f00, 0x1100), DUMP()],
    );
    differs_after::<Broken<gm_12_third_shard_restarts::Gm12>>(1, &setup, &[write_bulk(0x0f00, 1, 0x1101), DUMP()]);
    differs_after::<Broken<gm_12_third_shard_restarts::Gm12>>(
        2,
        &setup,
        &[write_bulk(0, 1, 4096), write_bulk(8192, 9, 4096), read_bulk(0, 12_288)],
    );
}

#[test]
fn gm_13_and_gm_16_do_half_of_what_they_refuse() {
    let setup = Setup::flat(65_536);
    differs_after::<Broken<gm_13_failing_write_is_partial::Gm13>>(
        1,
        &setup,
        &[write_bulk(65_536 - 4, 1, 8), read(65_536 - 4, 4)],
    );
    agrees::<Broken<gm_13_failing_write_is_partial::Gm13>>(
        &setup,
        &[write_bulk(65_536, 1, 8), write_bulk(u64::MAX, 1, 8), read_bulk(65_532, 8), DUMP()],
    );
    differs_after::<Broken<gm_16_failing_read_scribbles::Gm16>>(0, &setup, &[read_bulk(65_536 - 4, 8)]);
    agrees::<Broken<gm_16_failing_read_scribbles::Gm16>>(
        &setup,
        &[read_bulk(65_536, 8), read_bulk(u64::MAX, 8), write_bulk(65_532, 1, 8), DUMP()],
    );
}

#[test]
fn gm_14_drops_what_is_beyond_the_border() {
    let setup = Setup::flat(65_536);
    differs_after::<Broken<gm_14_border_drops_high_part::Gm14>>(
        1,
        &setup,
        &[write_bulk(4096 - 3, 1, 8), read(4096 - 3, 8)],
    );
    differs_after::<Broken<gm_14_border_drops_high_part::Gm14>>(
        2,
        &setup,
        &[write(4096 - 8, u64::MAX, 8), write(4096 - 3, u64::MAX, 8), read_bulk(4090, 16)],
    );
    agrees::<Broken<gm_14_border_drops_high_part::Gm14>>(
        &setup,
        &[write(4096 - 3, u64::MAX, 4), read(4096 - 3, 4), write(0x100, 5, 8), read(0x100, 8)],
    );
}

#[test]
fn gm_15_forgets_the_short_shard() {
    let restore = |length| Op::Restore { owner: owner(0), payload: Payload { seed: 1, length } };
    differs_after::<Broken<gm_15_restore_forgets_last_shard::Gm15>>(
        1,
        &Setup::flat(65_537),
        &[restore(65_537), DUMP()],
    );
    agrees::<Broken<gm_15_restore_forgets_last_shard::Gm15>>(
        &Setup::flat(65_536),
        &[restore(65_536), DUMP(), restore(1), DUMP()],
    );
    agrees::<Broken<gm_15_restore_forgets_last_shard::Gm15>>(&Setup::flat(0), &[restore(0), DUMP()]);
}

#[test]
fn gm_18_forgets_the_second_line() {
    let setup = Setup::flat(4096);
    let around = |store: Op| [load_reserved(1, 0x40, 8), store, store_conditional(1, 0x40, 1, 8)];
    differs_after::<Broken<gm_18_second_line_keeps_reservation::Gm18>>(2, &setup, &around(write(0x3c, 1, 8)));
    differs_after::<Broken<gm_18_second_line_keeps_reservation::Gm18>>(2, &setup, &around(write_bulk(0x3c, 1, 8)));
    agrees::<Broken<gm_18_second_line_keeps_reservation::Gm18>>(&setup, &around(write(0x40, 1, 8)));
    agrees::<Broken<gm_18_second_line_keeps_reservation::Gm18>>(&setup, &around(write_bulk(0x40, 1, 0)));
    agrees::<Broken<gm_18_second_line_keeps_reservation::Gm18>>(
        &setup,
        &[load_reserved(1, 0x3c, 8), store_conditional(1, 0x3c, 1, 8), store_conditional(1, 0x3c, 1, 8)],
    );
}

#[test]
fn broken_subjects_agree_where_nothing_is_near_their_trigger() {
    fn scalars_low_in_memory<S: Subject<GuestMemory>>() {
        let ops: Vec<Op> = (0..64).flat_map(|index| [write(index * 8, index, 8), read(index * 8, 4)]).collect();
        let setup = Setup::flat(65_536);
        let answer = catch_unwind(AssertUnwindSafe(|| agrees::<S>(&setup, &ops)));
        assert!(answer.is_ok(), "{}", S::NAME);
    }
    scalars_low_in_memory::<Broken<gm_01_bulk_read_default::Gm01>>();
    scalars_low_in_memory::<Broken<gm_02_bulk_write_default::Gm02>>();
    scalars_low_in_memory::<Broken<gm_03_wrapper_forwards_scalars::Gm03>>();
    scalars_low_in_memory::<Broken<gm_05_construction_underflows::Gm05>>();
    scalars_low_in_memory::<Original>();
    scalars_low_in_memory::<PublishedFix>();
}

#[test]
fn reported_code_serves_up_to_64_mebibytes() {
    let serves = |contract, setup| GuestMemory::serves(&contract, &setup).is_ok();
    assert!(!serves(Original::CONTRACT, Setup::flat((64 << 20) + 1)));
    assert!(serves(PublishedFix::CONTRACT, Setup::flat(64 << 20)));
    assert!(PublishedFix::new(&Setup::flat(64 << 20)).is_ok());
    assert!(!serves(PhysicalMemorySubject::CONTRACT, with_device(4096, 0, 16)));
}

#[test]
fn gm_29_to_32_leave_pages_out_of_the_log() {
    let owner = Owner::new_folded(0);
    let setup = Setup { dirty_log: Some(DirtyLogSetup { refused: vec![1] }), ..Setup::flat(0x4000) };
    let (log, dump) = (Op::DirtyLog { owner }, Op::DumpDirty { owner });
    let load = Op::LoadReserved { owner, address: GuestAddress(8), size: 8 };
    let store = Op::StoreConditional { owner, address: GuestAddress(8), value: 1, size: 8 };
    differs_after::<Broken<gm_29_store_conditional_is_not_logged::Gm29>>(2, &setup, &[load, store, log.clone()]);
    let bulk = write_bulk(0xff0, 1, 0x20);
    differs_after::<Broken<gm_30_bulk_marks_first_page::Gm30>>(1, &setup, &[bulk.clone(), log.clone()]);
    agrees::<Broken<gm_30_bulk_marks_first_page::Gm30>>(&setup, &[write_bulk(0xff0, 1, 0x10), log.clone()]);
    differs_after::<Broken<gm_31_failed_dump_empties_log::Gm31>>(2, &setup, &[bulk, dump.clone(), log.clone()]);
    agrees::<Broken<gm_31_failed_dump_empties_log::Gm31>>(&setup, &[write_bulk(0, 1, 1), dump, log.clone()]);
    let restore = Op::Restore { owner, payload: Payload { seed: 1, length: 0x4000 } };
    differs_after::<Broken<gm_32_restore_is_not_logged::Gm32>>(1, &setup, &[restore, log]);
}

#[test]
fn gm_33_to_36_exchange_and_reserve_too_much_or_too_little() {
    let owner = Owner::new_folded(0);
    let setup = Setup::flat(0x4000);
    let exchange = |expected, size| Op::CompareExchange { owner, address: GuestAddress(8), expected, value: 7, size };
    let load = |size| Op::LoadReserved { owner, address: GuestAddress(8), size };
    let store = |address, size| Op::StoreConditional { owner, address: GuestAddress(address), value: 1, size };
    differs_after::<Broken<gm_33_failed_exchange_kills::Gm33>>(2, &setup, &[load(8), exchange(1, 8), store(8, 8)]);
    agrees::<Broken<gm_33_failed_exchange_kills::Gm33>>(&setup, &[load(8), exchange(0, 8), store(8, 8)]);
    differs_after::<Broken<gm_34_exchange_compares_all_bits::Gm34>>(0, &setup, &[exchange(1 << 32, 4)]);
    agrees::<Broken<gm_34_exchange_compares_all_bits::Gm34>>(&setup, &[exchange(0, 4), exchange(1 << 32, 8)]);
    differs_after::<Broken<gm_35_reservation_ignores_size::Gm35>>(1, &setup, &[load(4), store(8, 8)]);
    agrees::<Broken<gm_35_reservation_ignores_size::Gm35>>(&setup, &[load(4), store(12, 4)]);
    differs_after::<Broken<gm_36_reservation_is_a_line::Gm36>>(1, &setup, &[load(4), store(12, 4)]);
    agrees::<Broken<gm_36_reservation_is_a_line::Gm36>>(&setup, &[load(4), store(64, 4)]);
}
