//! A subject after reset equals a new one.

use super::*;
use memtwin_models::guest_memory::View;
use memtwin_subjects::guest_memory::defects::*;
use memtwin_subjects::guest_memory::*;

/// Everything that shows of a subject: its memory, its registers, and whether any reservation is left.
fn inspect<S: Subject<GuestMemory>>(subject: &mut S, setup: &Setup, earlier: &[Op]) -> (Vec<Step>, View) {
    let mut view = View {
        dump_wanted: true,
        ranges_wanted: vec![(0, u32::try_from(64.min(setup.memory_size)).unwrap())],
        ..View::default()
    };
    subject.view(&mut view);
    let mut ops = Vec::new();
    // The same address and size as each load-reserved before: a reservation left over would let one of these store.
    for op in earlier {
        if let Op::LoadReserved { owner, address, size } = *op {
            ops.push(Op::StoreConditional { owner, address, value: 1, size });
        }
    }
    for device in &setup.devices {
        ops.extend((device.base..device.end()).map(|address| read(address, 1)));
    }
    (steps(subject, &ops), view)
}

fn resets_like_new<S: Subject<GuestMemory>>(setup: &Setup, seed: u64, reusable: bool) {
    let mut numbers = Numbers(seed);
    let mut used: S = build(setup);
    for _ in 0..20 {
        // GM-04 would panic on what wraps, which is not what this test is about.
        let wraps = |op: &Op| op.range().is_some_and(|(address, length)| address.checked_add(length).is_none());
        let ops: Vec<Op> = (0..60).map(|_| numbers.op(setup)).filter(|op| !wraps(op)).collect();
        steps(&mut used, &ops);
        assert_eq!(used.reset(setup), reusable, "{}", S::NAME);
        if !reusable {
            return;
        }
        let mut fresh: S = build(setup);
        let (used_steps, used_view) = inspect(&mut used, setup, &ops);
        let (fresh_steps, fresh_view) = inspect(&mut fresh, setup, &ops);
        assert_eq!(used_steps, fresh_steps, "{} over {setup:?}", S::NAME);
        assert!(used_view.dump == fresh_view.dump, "the memory of {} over {setup:?}", S::NAME);
        assert_eq!((used_view.bytes, used_view.memory_size), (fresh_view.bytes, fresh_view.memory_size));
        assert!(used.reset(setup));
        let other = Setup { strict_alignment: !setup.strict_alignment, ..setup.clone() };
        assert!(!used.reset(&other), "a reset cannot change the setup");
    }
}

fn resets_like_new_with_devices<S: Subject<GuestMemory>>() {
    for (seed, size) in (1..).zip([0, 16, 100, 4099, 65_536, 1 << 19]) {
        let device = |base, faulty_register| DeviceSetup { base, size: 48, faulty_register };
        let devices = vec![device(size / 2, None), device(size + 100, Some(5))];
        resets_like_new::<S>(&Setup { devices, ..Setup::flat(size) }, seed, true);
        resets_like_new::<S>(&Setup { strict_alignment: true, ..Setup::flat(size) }, seed + 100, true);
    }
}

#[test]
fn sound_subjects() {
    resets_like_new_with_devices::<SoftMmuSubject>();
    for size in [0, 1, 17, 65_536] {
        let mut numbers = Numbers(size + 7);
        let setup = Setup::flat(size);
        let mut used: PhysicalMemorySubject = build(&setup);
        let ops: Vec<Op> = (0..500).map(|_| numbers.op(&setup)).collect();
        steps(&mut used, &ops);
        assert!(used.reset(&setup));
        assert_eq!(
            inspect(&mut used, &setup, &ops).0,
            inspect(&mut build::<PhysicalMemorySubject>(&setup), &setup, &ops).0
        );
    }
}

#[test]
fn broken_subjects_that_stay_in_memory() {
    resets_like_new_with_devices::<Broken<gm_04_end_wraps::Gm04>>();
    resets_like_new_with_devices::<Broken<gm_06_bulk_store_keeps_reservations::Gm06>>();
    resets_like_new_with_devices::<Broken<gm_07_bulk_bypasses_devices::Gm07>>();
    resets_like_new_with_devices::<Broken<gm_08_bulk_read_looks_at_start::Gm08>>();
    resets_like_new_with_devices::<Broken<gm_09_scalar_looks_at_start::Gm09>>();
    resets_like_new_with_devices::<Broken<gm_10_mixed_write_applies_memory::Gm10>>();
    resets_like_new_with_devices::<Broken<gm_11_end_off_by_one::Gm11>>();
    resets_like_new_with_devices::<Broken<gm_12_third_shard_restarts::Gm12>>();
    resets_like_new_with_devices::<Broken<gm_13_failing_write_is_partial::Gm13>>();
    resets_like_new_with_devices::<Broken<gm_14_border_drops_high_part::Gm14>>();
    resets_like_new_with_devices::<Broken<gm_15_restore_forgets_last_shard::Gm15>>();
    resets_like_new_with_devices::<Broken<gm_16_failing_read_scribbles::Gm16>>();
    resets_like_new_with_devices::<Broken<gm_18_second_line_keeps_reservation::Gm18>>();
}

#[test]
fn construction_is_met_anew_by_each_trace() {
    resets_like_new::<Broken<gm_05_construction_underflows::Gm05>>(&Setup::flat(4096), 1, false);
    resets_like_new::<PublishedFix>(&Setup::flat(4096), 1, false);
}

#[test]
fn a_long_trace_is_scrubbed_whole_or_given_up() {
    for (size, reusable) in [(1 << 20, true), (1 << 21, false)] {
        let setup = Setup::flat(size);
        let mut memory = soft_mmu(&setup);
        for index in 0..10_000 {
            step(&mut memory, &write(index * 100, u64::MAX, 8));
        }
        assert_eq!(memory.reset(&setup), reusable);
        if reusable {
            assert!(step(&mut memory, &DUMP()).dump.iter().all(|&byte| byte == 0));
        }
    }
}
