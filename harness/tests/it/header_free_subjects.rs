//! The subjects of header_free: what the report's code does at the addresses it names, what its fix makes of valid
//! blocks, and that the hardened allocator is as good after a reset as it was when new. The seeds of the corpus are
//! made here too.

use memtwin::finding::{Cause, Ending, Failure, Step};
use memtwin::isolate::Isolation;
use memtwin::lockstep::Audits;
use memtwin::models::header_free::{
    Alignment, FaultPlan, HeaderFree, Kind, Libc, Mode, Op, Outcome, Route, Seen, Setup, SlabOffset, Slot, Thread, View,
};
use memtwin::models::{Component as _, Health, Subject};
use memtwin::random::Random;
use memtwin::subjects::header_free::{Hardened, HardenedRealLibc, PublishedFix};
use memtwin::trace::Trace;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const A: Slot = Slot::new_folded(0);
const B: Slot = Slot::new_folded(1);

const SETUP: Setup = Setup::PRELOADED;

fn alloc(slot: Slot, kind: Kind, size: u64) -> Op {
    Op::Alloc { slot, kind, size, align: Alignment::from_exponent_folded(0) }
}

fn free(slot: Slot, delta: u64) -> Op {
    Op::Free { slot, delta, thread: Thread::default() }
}

fn ending(subject: &str, setup: &Setup, ops: &[Op]) -> Ending {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_memtwin"));
    let mut isolation = Isolation::start_from(program, Arc::new(AtomicBool::new(false))).unwrap();
    let index = memtwin::built_in().index_of("header_free", subject).unwrap();
    let wire = Trace::<HeaderFree>::new(setup.clone(), ops.to_vec()).to_wire();
    isolation.replay(index, &wire, Audits::Full).unwrap().unwrap()
}

/// What a subject answers to each op.
fn answers<S: Subject<HeaderFree>>(setup: &Setup, ops: &[Op]) -> Vec<Seen> {
    let mut subject = S::new(setup).unwrap();
    let mut seen = Outcome::default();
    let answer = |op| {
        subject.apply(op, &mut seen);
        seen.result
    };
    ops.iter().map(answer).collect()
}

#[test]
fn the_header_of_a_block_of_libcs_faults_where_the_page_before_is_missing() {
    let ops = [Op::LibcAlloc { slot: A, size: 64, align: Alignment::from_exponent_folded(12) }, free(A, 0)];
    let Seen::Block(block) = answers::<Hardened>(&SETUP, &ops)[0] else { panic!("no block") };
    let Ending::Failed(Failure { step: Step::Op(1), cause: Cause::Fault(fault) }) = ending("HF-01", &SETUP, &ops)
    else {
        panic!("HF-01 survived")
    };
    assert_eq!(fault.address, Some(block - 32), "the simulated address of the header");
    assert_eq!(ending("hardened", &SETUP, &ops), Ending::Agreed);
}

/// The report of the fix says "100 % success".
#[test]
fn the_published_fix_misroutes_nearly_every_block_it_was_made_for() {
    let raw = [Kind::BigCache, Kind::Malloc];
    let blocks = (0..8_u8).map(|index| (Slot::new_folded(index), raw[usize::from(index) % 2]));
    let ops: Vec<Op> = blocks.flat_map(|(slot, kind)| [alloc(slot, kind, 2000), free(slot, 0)]).collect();
    let routes = |answers: Vec<Seen>| -> Vec<Route> {
        let freed = |seen| if let Seen::Freed(route) = seen { Some(route) } else { None };
        answers.into_iter().filter_map(freed).collect()
    };
    let published = routes(answers::<PublishedFix>(&SETUP, &ops));
    assert!(published.iter().all(|route| *route == Route::LibcRefused), "{published:?}");
    let linked = Setup { mode: Mode::Direct1, ..SETUP };
    let ignored = routes(answers::<PublishedFix>(&linked, &ops));
    assert!(ignored.iter().all(|route| *route == Route::Fallback), "{ignored:?}");
    let right = routes(answers::<Hardened>(&SETUP, &ops));
    assert!(right.iter().zip(raw.iter().cycle()).all(|(route, kind)| *route == Route::Owner(*kind)), "{right:?}");
}

#[test]
fn the_leak_is_found_by_the_audit() {
    let linked = Setup { mode: Mode::Direct1, ..SETUP };
    let Ending::Failed(failure) = ending("HF-04", &linked, &[alloc(A, Kind::BigCache, 2000), free(A, 0)]) else {
        panic!("HF-04 agreed")
    };
    assert_eq!((failure.step, failure.cause.name()), (Step::Audit, "leak"));
}

#[test]
fn a_pointer_into_the_header_of_a_malloc_block_is_not_libcs() {
    let into_header = 32_u64.wrapping_neg();
    let answers = answers::<Hardened>(&SETUP, &[alloc(A, Kind::Malloc, 64), free(A, into_header), free(A, 0)]);
    let routes = [Seen::Freed(Route::Refused), Seen::Freed(Route::Owner(Kind::Malloc))];
    assert_eq!(answers[1..], routes);
}

#[test]
fn blocks_freed_by_other_threads_are_handed_out_again() {
    let slots = || (0..4_u8).map(Slot::new_folded);
    let setup = Setup { registry_log2: 1, ..SETUP };
    let mut ops: Vec<Op> = slots().map(|slot| alloc(slot, Kind::Tiny, 1024)).collect();
    ops.push(alloc(Slot::new_folded(4), Kind::Tiny, 8));
    ops.extend(slots().map(|slot| Op::Free { slot, delta: 0, thread: Thread::new_folded(1 + slot.thread().index()) }));
    ops.extend(slots().map(|slot| alloc(slot, Kind::Tiny, 1024)));
    let answers = answers::<Hardened>(&setup, &ops);
    assert!(answers[9..].iter().all(|seen| matches!(seen, Seen::Block(_))), "{answers:?}");
}

#[test]
fn hardened_claims_nothing_and_the_real_libc_is_claimed() {
    let registry = memtwin::built_in();
    let claims = |subject| {
        let target = registry.index_of("header_free", subject).and_then(|index| registry.get(index)).unwrap();
        assert_eq!(target.health(), Health::Sound);
        target.claimed()
    };
    assert_eq!(claims("hardened"), Vec::<&str>::new());
    assert_eq!(claims("hardened_real_libc"), ["real_libc"]);
    let real = Setup { libc: Libc::Real, ..SETUP };
    assert!(HeaderFree::serves(&Hardened::CONTRACT, &real).is_err());
    let ops =
        [Op::LibcAlloc { slot: A, size: 64, align: Alignment::from_exponent_folded(0) }, alloc(B, Kind::Malloc, 64)];
    assert_eq!(answers::<HardenedRealLibc>(&real, &ops), answers::<Hardened>(&SETUP, &ops));
}

#[test]
fn a_reset_unmaps_and_forgets() {
    let setup = Setup { tiny_header: true, registry_log2: 1, ..SETUP };
    let ops = [
        alloc(A, Kind::Tiny, 64),
        alloc(B, Kind::Mmap, 0x3000),
        alloc(Slot::new_folded(2), Kind::Malloc, 64),
        alloc(Slot::new_folded(3), Kind::BigCache, 64),
        free(Slot::new_folded(3), 0),
        Op::MapForeign { slot: Slot::new_folded(4), beside: A },
        Op::Write { slot: B, seed: 1, length: 0x3000 },
        Op::RetireSuperslab { slot: A },
    ];
    let first = answers::<Hardened>(&setup, &ops);
    let mut subject = Hardened::new(&setup).unwrap();
    let mut seen = Outcome::default();
    for _ in 0..3 {
        for (op, expected) in ops.iter().zip(&first) {
            subject.apply(op, &mut seen);
            assert_eq!(seen.result, *expected, "{op:?}");
        }
        assert!(subject.reset(&setup));
        let mut view = View::default();
        subject.view(&mut view);
        assert_eq!((view.superslabs, view.mappings, view.libc_blocks), (Some((0, 0)), Some(0), Some(0)));
    }
}

/// What takes a pointer, of what the slot holds.
fn asks(slot: Slot, delta: u64) -> [Op; 2] {
    [Op::UsableSize { slot, delta }, Op::Realloc { slot, size: 100, delta }]
}

#[test]
fn a_block_of_libcs_is_libcs_in_every_entry_point() {
    let libc = Op::LibcAlloc { slot: A, size: 64, align: Alignment::from_exponent_folded(12) };
    let ops = [&[libc][..], &asks(A, 0), &asks(A, 8), &[free(A, 0)]].concat();
    let preloaded = answers::<Hardened>(&SETUP, &ops);
    let Seen::Block(block) = preloaded[0] else { panic!("no block") };
    let expected = [Seen::Usable(64), Seen::Block(block), Seen::Refused, Seen::Refused, Seen::Freed(Route::Libc)];
    assert_eq!(preloaded[1..], expected);
    let real = Setup { libc: Libc::Real, ..SETUP };
    assert_eq!(answers::<HardenedRealLibc>(&real, &ops), preloaded);
    let linked = answers::<Hardened>(&Setup { mode: Mode::Direct1, ..SETUP }, &ops);
    assert_eq!(linked[1..], [[Seen::Refused; 4].as_slice(), &[Seen::Freed(Route::Refused)]].concat());
}

#[test]
fn a_block_from_before_the_allocator_is_up_is_copied_out() {
    let early = Op::BootAlloc { slot: A, size: 40 };
    let ops = [early.clone(), Op::UsableSize { slot: A, delta: 0 }, early.clone(), free(A, 0), early.clone()];
    let seen = answers::<Hardened>(&SETUP, &ops);
    assert_eq!(seen[1..4], [Seen::Usable(512), Seen::Idle, Seen::Freed(Route::Boot)]);
    assert!(matches!((seen[0], seen[4]), (Seen::Block(first), Seen::Block(second)) if first != second), "{seen:?}");
    let ops = [early.clone(), Op::Realloc { slot: A, size: 2000, delta: 0 }, free(A, 0), early];
    let seen = answers::<Hardened>(&SETUP, &ops);
    assert_eq!(seen[2..], [Seen::Freed(Route::Owner(Kind::Mid)), Seen::Idle], "it is up once it served a block");
}

#[test]
fn what_the_kernel_does_not_take_back_serves_again() {
    let refuses = Setup { munmap: FaultPlan::Always, madvise: FaultPlan::Always, ..SETUP };
    let retire = Op::RetireSuperslab { slot: A };
    let ops = [
        alloc(A, Kind::Tiny, 64),
        free(A, 0),
        retire.clone(),
        alloc(A, Kind::Mmap, 64),
        free(A, 0),
        alloc(B, Kind::Mmap, 0xe000),
        free(B, 0),
        alloc(A, Kind::BigCache, 64),
        free(A, 0),
    ];
    let seen = answers::<Hardened>(&refuses, &ops);
    assert_eq!(seen[2], Seen::Kept);
    let (Seen::Block(first), Seen::Block(second)) = (seen[3], seen[5]) else { panic!("{seen:?}") };
    assert_eq!(first, second, "the mapping that stayed has another block");
    assert_eq!(ending("hardened", &refuses, &ops), Ending::Agreed, "errno is kept, and nothing leaks");
}

#[test]
fn blocks_lie_in_both_arenas_and_at_the_end_of_a_superslab() {
    let setup = Setup { two_arenas: true, slab_offset: SlabOffset(0x1f_f000), registry_log2: 1, ..SETUP };
    let far = |seen: &Seen| matches!(seen, Seen::Block(block) if 1 << 32 < *block);
    for kind in [Kind::Mid, Kind::L25, Kind::Mmap, Kind::BigCache] {
        let ops = [alloc(A, kind, 100), alloc(B, kind, 100), free(A, 0), free(B, 0), alloc(B, kind, 100)];
        let seen = answers::<Hardened>(&setup, &ops);
        assert_eq!((far(&seen[0]), far(&seen[1])), (false, true), "{kind:?}: {seen:?}");
        assert_eq!(seen[2..4], [Seen::Freed(Route::Owner(kind)); 2]);
        assert_eq!(ending("hardened", &setup, &ops), Ending::Agreed);
    }
    let seen = answers::<Hardened>(&setup, &[alloc(A, Kind::Tiny, 1024), alloc(B, Kind::Tiny, 512)]);
    assert_eq!(seen, [Seen::Block(0x41f_f000), Seen::Block(0x1_041f_f000)]);
}

/// The workloads that the reports measured with, as far as a seed is worth it: the first few hundred ops. Slots are
/// taken modulo the 64 of a trace.
fn workloads() -> Vec<(String, Vec<Op>)> {
    let mut workloads = vec![
        ("seed-mixed-4096-slots-999".to_owned(), mixed(999, 600)),
        ("seed-mixed-2048-slots-1234567".to_owned(), mixed(1_234_567, 600)),
        ("seed-larson-10-8-128-1024-1-12345-4".to_owned(), larson(12_345, 600)),
    ];
    workloads.extend((1..=10).map(|seed| (format!("seed-mixed-2048-slots-{seed}"), mixed(seed, 200))));
    workloads
}

/// Random frees and allocations of 8 to 4096 bytes, written when new and looked at before they go.
fn mixed(seed: u64, count: usize) -> Vec<Op> {
    let mut random = Random::new(seed);
    let mut ops = Vec::new();
    let mut is_held = [false; 64];
    while ops.len() < count {
        let slot = Slot::new_folded(random.below(64).to_le_bytes()[0]);
        let held = &mut is_held[slot.index()];
        if *held {
            ops.extend([Op::Verify { slot }, Op::Free { slot, delta: 0, thread: slot.thread() }]);
        } else {
            let size = u64::from(8 + random.below(4089));
            let kind = if size <= 1024 { Kind::Tiny } else { Kind::Mid };
            ops.extend([alloc(slot, kind, size), Op::Write { slot, seed: 1, length: 16 }]);
        }
        *held = !*held;
    }
    ops
}

/// Larson's benchmark: each thread frees what another one made, and makes a new one in its place.
fn larson(seed: u64, count: usize) -> Vec<Op> {
    let mut random = Random::new(seed);
    let tiny = |slot, random: &mut Random| alloc(slot, Kind::Tiny, u64::from(8 + random.below(121)));
    let mut ops: Vec<Op> = (0..64).map(|index| tiny(Slot::new_folded(index), &mut random)).collect();
    while ops.len() < count {
        let slot = Slot::new_folded(random.below(64).to_le_bytes()[0]);
        let thread = Thread::new_folded(slot.thread().index() + 1 + random.below(3).to_le_bytes()[0]);
        ops.extend([Op::Free { slot, delta: 0, thread }, tiny(slot, &mut random)]);
    }
    ops
}

/// `MEMTWIN_WRITE_SEEDS=1 cargo test -p memtwin --test header_free_subjects` writes them anew.
#[test]
fn the_seeds_of_the_corpus_are_the_workloads_of_the_reports() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/header_free");
    for (name, ops) in workloads() {
        let wire = Trace::<HeaderFree>::new(SETUP, ops).to_wire();
        let path = folder.join(&name);
        if std::env::var_os("MEMTWIN_WRITE_SEEDS").is_some() {
            std::fs::write(&path, &wire).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == wire, "{name} is not what the workload gives");
        assert!(wire.len() <= 4096, "{name} has {} bytes", wire.len());
    }
}
