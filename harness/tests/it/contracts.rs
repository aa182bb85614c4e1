//! Contracts reach everything that makes traces: what is drawn, mutated, shrunk and listed is within the contract, for
//! every contract of the registry and for each freedom alone.

use memtwin::engines::TraceSource as _;
use memtwin::engines::guided::Guided;
use memtwin::models::brk_heap::{BrkHeap, BrkHeapContract};
use memtwin::models::guest_memory::{GuestMemory, GuestMemoryContract, Op, Owner, Setup};
use memtwin::models::header_free::{HeaderFree, HeaderFreeContract};
use memtwin::models::heap::{Calls, Heap, HeapContract};
use memtwin::models::page_walk::{PageWalk, PageWalkContract};
use memtwin::models::temp_map::{TempMap, TempMapContract};
use memtwin::models::{Contract, Health, Row, Unsupported};
use memtwin::mutate::{MAX_MUTANT_BYTES, Mutator, any_of};
use memtwin::random::Random;
use memtwin::rig::Rig;
use memtwin::trace::Trace;
use memtwin::{Registry, Target};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Traces of one setup in a row.
const GROUP: u64 = 64;

/// A row that is never built.
const fn row<C: Rig>(contract: C::Contract) -> Row<C> {
    let build = &|_: &C::Setup| Err(Unsupported("nothing is built here"));
    Row { name: "claims", health: Health::Sound, contract, build, origin: None }
}

fn leaked<C: Rig>(contracts: impl IntoIterator<Item = C::Contract>) -> Vec<&'static dyn Target> {
    contracts.into_iter().map(|contract| &*Box::leak(Box::new(row::<C>(contract))) as &dyn Target).collect()
}

/// A heap that claims one freedom; of a number something that other heaps go beyond.
fn heap_that_claims(freedom: &str) -> HeapContract {
    let strict = HeapContract::STRICT;
    match freedom {
        "calls" => HeapContract { calls: Calls::ALL.without(Calls::OF_C), ..strict },
        "smallest_bytes" => HeapContract { smallest_bytes: 512, ..strict },
        "largest_bytes" => HeapContract { largest_bytes: 0x2000, ..strict },
        "region_align" => HeapContract { region_align: 64, ..strict },
        "smallest_extend" => HeapContract { smallest_extend: 256, ..strict },
        "largest_align" => HeapContract { largest_align: 4096, ..strict },
        "largest_size" => HeapContract { largest_size: 0x1000, ..strict },
        "most_threads" => HeapContract { most_threads: 1, ..strict },
        "block_overhead" | "region_overhead" | "waste" | "kept_bytes" | "min_alignment" => {
            strict.claim(&format!("{freedom}=32")).unwrap()
        }
        _ => strict.claim(freedom).unwrap(),
    }
}

/// Each freedom alone; those with a number, with a small one.
static ALONE: LazyLock<Vec<&'static dyn Target>> = LazyLock::new(|| {
    let guest = GuestMemoryContract::STRICT;
    let brk = BrkHeapContract::STRICT;
    let targets = [
        leaked::<GuestMemory>(GuestMemoryContract::FREEDOMS.iter().map(|freedom| match freedom.name {
            "largest_memory_bytes" => GuestMemoryContract { largest_memory_bytes: 4096, ..guest },
            "smallest_memory_bytes" => GuestMemoryContract { smallest_memory_bytes: 16, ..guest },
            name => guest.claim(name).unwrap(),
        })),
        leaked::<BrkHeap>([
            BrkHeapContract { blocks_from_mmap: true, ..brk },
            BrkHeapContract { trusts_fresh_pages: true, ..brk },
            BrkHeapContract { no_raw_brk: true, ..brk },
            BrkHeapContract { sole_user_of_brk: true, ..brk },
            BrkHeapContract { no_processes: true, ..brk },
            BrkHeapContract { no_new_alignment: true, ..brk },
            BrkHeapContract { books_in_heap: true, ..brk },
            BrkHeapContract { overhead_bytes: 16, ..brk },
        ]),
        leaked::<HeaderFree>(
            HeaderFreeContract::FREEDOMS.iter().map(|freedom| HeaderFreeContract::STRICT.claim(freedom.name).unwrap()),
        ),
        leaked::<Heap>(HeapContract::FREEDOMS.iter().map(|freedom| heap_that_claims(freedom.name))),
        leaked::<PageWalk>(
            PageWalkContract::FREEDOMS.iter().map(|freedom| PageWalkContract::STRICT.claim(freedom.name).unwrap()),
        ),
        leaked::<TempMap>(
            TempMapContract::FREEDOMS.iter().map(|freedom| TempMapContract::STRICT.claim(freedom.name).unwrap()),
        ),
    ]
    .concat();
    let claimed: BTreeSet<_> = targets.iter().map(|target| (target.dialect().name(), target.claimed())).collect();
    for dialect in memtwin::built_in().dialects() {
        for freedom in dialect.freedoms() {
            assert!(claimed.contains(&(dialect.name(), vec![freedom.name])), "nothing claims {}", freedom.name);
        }
    }
    targets
});

/// Each set of freedoms that a subject claims, and each freedom alone.
fn targets() -> Vec<&'static dyn Target> {
    let mut seen = BTreeSet::new();
    let all = memtwin::built_in().targets().chain(ALONE.iter().copied()).collect::<Vec<_>>();
    all.into_iter().filter(|target| seen.insert((target.dialect().name(), target.claimed()))).collect()
}

/// A subject of the same component that claims all that brings more setups, and none that takes ops away.
fn demanding(target: &dyn Target) -> Box<dyn memtwin::engines::TraceSource> {
    static DEMANDING: LazyLock<Registry> = LazyLock::new(|| {
        let rows = [
            leaked::<GuestMemory>([GuestMemoryContract::STRICT]),
            leaked::<BrkHeap>([BrkHeapContract::STRICT]),
            leaked::<HeaderFree>([HeaderFreeContract { real_libc: true, ..HeaderFreeContract::STRICT }]),
            leaked::<Heap>([HeapContract::STRICT]),
            leaked::<PageWalk>([PageWalkContract::STRICT]),
            leaked::<TempMap>([TempMapContract::STRICT]),
        ];
        Registry::of(&rows.concat())
    });
    let same = DEMANDING.targets().find(|other| other.dialect().name() == target.dialect().name());
    same.expect("each component has such a row").traces()
}

#[track_caller]
fn is_within(target: &dyn Target, wire: &[u8]) {
    let words = || target.dialect().words(wire, 0..usize::MAX);
    assert!(target.is_within_contract(wire), "not within {:?}: {:#?}", target.claimed(), words());
}

#[test]
fn what_is_drawn_is_within_the_contract() {
    let mut wire = Vec::new();
    for target in targets() {
        let mut traces = target.traces();
        for group in 0..2000 {
            traces.write(5, group * GROUP, &mut wire);
            is_within(target, &wire);
        }
    }
}

#[test]
fn some_of_what_others_draw_is_not() {
    let is_narrow = |target: &&&dyn Target| {
        let (mut traces, mut wire) = (demanding(**target), Vec::new());
        (0..200).any(|group| {
            traces.write(5, group * GROUP, &mut wire);
            !target.is_within_contract(&wire)
        })
    };
    let excluding: BTreeSet<_> = ALONE.iter().filter(is_narrow).flat_map(|target| target.claimed()).collect();
    // Two of header_free's do because they come without the real libc.
    let expected = "calls errno_of_success fixed_devices flat_ram largest_align largest_bytes \
                    largest_memory_bytes largest_size no_atomics no_bounds no_compare_exchange no_devices \
                    no_dirty_log no_dump no_large_pages no_map no_memory no_new_alignment no_processes \
                    no_range_walk no_raw_brk no_reservations no_reuse no_strict_alignment own_entries own_memory \
                    range_unchecked realloc_forgets_granted region_align smallest_bytes smallest_extend \
                    smallest_memory_bytes top_page_excluded trusts_tables";
    assert_eq!(excluding.into_iter().collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn mutants_of_what_is_not_served_are_within_the_contract() {
    let mut wire = Vec::new();
    let mut drawn = Vec::new();
    let mut random = Random::new(4);
    for target in targets() {
        let (mut own, mut others) = (target.traces(), demanding(target));
        let mut mutator = Mutator::new(target.cutter());
        let mut mutants = BTreeSet::new();
        for group in 0..400 {
            others.write(6, group * GROUP, &mut drawn);
            if !mutator.set_parent(&drawn) {
                own.write(6, group * GROUP, &mut drawn);
                mutator.set_setup_of(&drawn);
            }
            others.write(6, (1000 + group) * GROUP, &mut drawn);
            mutator.set_setup_of(&drawn);
            others.write(6, (2000 + group) * GROUP, &mut drawn);
            mutator.set_donor(&drawn);
            for number in 0..4 {
                if number == 0 {
                    mutator.cross(&mut random, MAX_MUTANT_BYTES, &mut wire);
                } else {
                    mutator.mutate(&mut random, MAX_MUTANT_BYTES, &mut wire);
                }
                is_within(target, &wire);
                mutants.insert(wire.clone());
            }
        }
        assert!(1500 < mutants.len(), "{} mutants of {:?} differ", mutants.len(), target.claimed());
    }
}

/// Fuzzers that keep inputs for several subjects: each mutant is for one of them.
#[test]
fn mutants_for_several_subjects_are_for_one_of_them() {
    let [small, plain] = [
        GuestMemoryContract { largest_memory_bytes: 4096, ..GuestMemoryContract::STRICT },
        GuestMemoryContract { no_devices: true, no_dump: true, ..GuestMemoryContract::STRICT },
    ]
    .map(|contract| leaked::<GuestMemory>([contract])[0]);
    let mut mutator = Mutator::new(any_of(vec![small.cutter(), plain.cutter()]).unwrap());
    let (mut own, mut others) = (plain.traces(), demanding(small));
    let (mut wire, mut drawn, mut random) = (Vec::new(), Vec::new(), Random::new(8));
    let mut seen = [0; 2];
    for group in 0..2000 {
        own.write(7, group * GROUP, &mut drawn);
        mutator.set_donor(&drawn);
        let donor = drawn.clone();
        others.write(7, group * GROUP, &mut drawn);
        if !mutator.set_parent(&drawn) {
            mutator.set_setup_of(&donor);
        }
        mutator.mutate(&mut random, MAX_MUTANT_BYTES, &mut wire);
        let within = [small, plain].map(|target| target.is_within_contract(&wire));
        assert_ne!(within, [false, false], "{:#?}", small.dialect().words(&wire, 0..usize::MAX));
        (seen[0], seen[1]) = (seen[0] + u32::from(!within[0]), seen[1] + u32::from(!within[1]));
    }
    assert!(seen.iter().all(|others| 100 < *others), "{seen:?}");
}

#[test]
fn the_guided_engine_stays_within_the_contract() {
    for target in targets() {
        let mut guided = Guided::new(target.traces(), Mutator::new(target.cutter()));
        let mut others = demanding(target);
        let mut wire = Vec::new();
        for number in 0..64 {
            // What a corpus brings may be anything.
            others.write(9, number * GROUP, &mut wire);
            let reached = vec![u16::try_from(number * 8).unwrap()];
            guided.adopt(memtwin::feedback::Kept { wire: wire.clone(), reached });
        }
        let mut unserved = 0;
        for index in 0..2000 {
            guided.write(3, index, &mut wire);
            unserved += u32::from(!target.is_within_contract(&wire));
        }
        assert_eq!(unserved, 0, "{:?}", target.claimed());
    }
}

#[test]
fn no_candidate_of_the_shrinker_leaves_the_contract() {
    let mut wire = Vec::new();
    for target in targets() {
        let mut traces = target.traces();
        for group in 0..5 {
            traces.write(11, group * GROUP, &mut wire);
            let mut candidates = 0_u64;
            target.shrink(&wire, &mut |candidate| {
                is_within(target, candidate);
                candidates += 1;
                // Shrinks here and there, and looks at all that it could have shrunk to.
                candidates.is_multiple_of(7) && candidates < 1000
            });
            assert!(0 < candidates);
        }
    }
}

/// An op that the contract excludes and that a person wrote is no reason not to shrink the others.
#[test]
fn what_a_person_wrote_outside_of_the_contract_still_shrinks() {
    let contract = GuestMemoryContract { no_dump: true, ..GuestMemoryContract::STRICT };
    let target = leaked::<GuestMemory>([contract])[0];
    let owner = Owner::new_folded(0);
    let ops = vec![Op::Dump { owner }, Op::MemorySize { owner }, Op::RestoreDump { owner }];
    let trace = Trace::<GuestMemory>::new(Setup::flat(77), ops);
    let dumps = |wire: &[u8]| Trace::<GuestMemory>::from_wire(wire).ops().contains(&Op::Dump { owner });
    let small = Trace::<GuestMemory>::from_wire(&target.shrink(&trace.to_wire(), &mut |wire| dumps(wire)));
    assert_eq!(small.ops(), [Op::Dump { owner }]);
    assert_ne!(small.setup, trace.setup);
}

#[test]
fn small_worlds_are_within_the_contract() {
    let mut wire = Vec::new();
    for target in targets() {
        let mut traces = target.small_traces(2);
        let count = traces.count().unwrap();
        for index in 0..count {
            traces.write(0, index, &mut wire);
            is_within(target, &wire);
        }
        assert!(500 < count, "{:?} leaves {count} traces", target.claimed());
    }
}

#[test]
fn a_trace_does_not_depend_on_those_that_were_drawn_before() {
    let registry = memtwin::built_in();
    for target in registry.targets().filter(|target| target.is_sound()) {
        let mut used = target.traces();
        let mut wire = Vec::new();
        (0..3).for_each(|index| used.write(1, index, &mut wire));
        for index in [3, 4, 70, 4].into_iter().chain(100..140) {
            let mut fresh = Vec::new();
            used.write(1, index, &mut wire);
            target.traces().write(1, index, &mut fresh);
            assert!(wire == fresh, "{} draws another trace {index} after others", target.name());
        }
    }
}
