//! The contract by hand: each freedom allows what the strict contract forbids, or asks for less, and what a person
//! writes is read or refused in words.

use super::super::super::{
    Alignment, AnyAlignment, Calls, FreedBy, HeapContract, Held, Op, OpKind, Outcome, Seen, Setup, Size, laws,
};
use super::laws::{A, B, Bench, FREE, FREE_ALL, START, USABLE, alloc, answers, largest, malloc, realloc, with_byte};
use super::naive::C_ARENA;
use crate::{Contract as _, Divergence, Law, Verdict};

/// What a freedom allows: after some ops, an outcome of another op.
struct Case {
    claim: &'static str,
    before: Vec<Op>,
    op: Op,
    alter: Box<dyn Fn(&mut Outcome)>,
    law: Law,
}

fn case(claim: &'static str, before: &[Op], op: Op, law: Law, alter: impl Fn(&mut Outcome) + 'static) -> Case {
    Case { claim, before: before.to_vec(), op, alter: Box::new(alter), law }
}

fn null(seen: &mut Outcome) {
    (seen.result, seen.errno) = (Seen::Null, Some(12));
    seen.batch.clear();
}

/// For an arena of 256 bytes that may get 64 more.
fn cases() -> Vec<Case> {
    let align = Alignment::from_exponent_folded;
    let free_b = Op::Free { slot: B };
    let aligned = Op::AlignedAlloc { slot: B, align: align(6), size: Size(100) };
    let told = |seen: &mut Outcome| seen.result = Seen::Bytes(40);
    vec![
        case("calls=trim", &[], Op::Trim, laws::ANSWER, answers(Seen::Skipped)),
        case("own_memory", &[], malloc(A, 8), laws::INSIDE, answers(Seen::Block(0x7f00_0000_1000))),
        case("no_reuse", &[malloc(A, 160), FREE], malloc(A, 160), laws::REFUSAL, null),
        case("no_coalescing", &[malloc(A, 64), malloc(B, 64), FREE, free_b], malloc(A, 200), laws::REFUSAL, null),
        case("size_classes", &[malloc(A, 64), FREE], malloc(A, 65), laws::REFUSAL, null),
        case("keeps_padding", &[alloc(A, 8, 5), FREE], alloc(A, 256, 0), laws::REFUSAL, null),
        case("separate_pieces", &[Op::Extend { bytes: 64 }], alloc(A, 300, 0), laws::REFUSAL, null),
        case("largest_align=16", &[], alloc(A, 8, 5), laws::ANSWER, answers(Seen::Vacant)),
        case("largest_size=100", &[], alloc(A, 101, 0), laws::ANSWER, answers(Seen::Vacant)),
        case("block_overhead=8", &[], alloc(A, 241, 0), laws::REFUSAL, null),
        case("region_overhead=0x10", &[], alloc(A, 241, 0), laws::REFUSAL, null),
        case("waste=32", &[], alloc(A, 129, 0), laws::REFUSAL, null),
        case("kept_bytes=16", &[malloc(A, 8), FREE_ALL, largest(4)], largest(4), laws::LEAK, answers(Seen::Bytes(242))),
        case("min_alignment=8", &[], malloc(A, 100), laws::ALIGNED, answers(Seen::Block(START + 8))),
        case("usable_is_a_hint", &[malloc(A, 24), malloc(B, 8)], USABLE, laws::USABLE, told),
        case("errno_unset", &[], malloc(A, 300), laws::ERRNO, |seen| seen.errno = Some(0)),
        case("free_changes_errno", &[malloc(A, 8)], FREE, laws::ERRNO, |seen| seen.errno = Some(12)),
        case("any_alignment", &[], aligned, laws::ALIGNED, answers(Seen::Block(START + 1))),
        case("zero_size_unaligned", &[], alloc(A, 0, 4), laws::ALIGNED, answers(Seen::Block(START + 1))),
        case("unbounded", &[], Op::Cycle { count: 1, size: Size(8), by: FreedBy::Owner }, laws::BOUNDED, |seen| {
            seen.held = Some(Held { first: 0, second: 1 << 20 });
        }),
    ]
}

fn setup() -> Setup {
    Setup { extend_bytes: 64, ..Setup::flat(256) }
}

#[track_caller]
fn broken(contract: &HeapContract, case: &Case) -> Option<&'static str> {
    match Bench::under(contract, &setup(), &case.before).verdict(&case.op, &case.alter) {
        Verdict::Agree => None,
        Verdict::Diverge(Divergence { law, .. }) => Some(law),
        Verdict::Moot(reason) => panic!("{reason}"),
    }
}

/// The contract, with a freedom that a person claims.
fn with(claim: &str) -> HeapContract {
    HeapContract::STRICT.claim(claim).unwrap()
}

#[test]
fn each_freedom_allows_what_the_strict_contract_forbids() {
    for case in cases() {
        assert_eq!(broken(&HeapContract::STRICT, &case), Some(case.law.name), "{}", case.claim);
        assert_eq!(broken(&with(case.claim), &case), None, "{}", case.claim);
    }
}

/// A freedom with a number allows that much and no more.
#[test]
fn freedoms_with_numbers_have_limits() {
    for (claim, op) in [
        ("block_overhead=8", alloc(A, 240, 0)),
        ("region_overhead=16", alloc(A, 240, 0)),
        ("waste=32", alloc(A, 128, 0)),
        ("kept_bytes=16", alloc(A, 240, 0)),
    ] {
        let case = case(claim, &[], op, laws::REFUSAL, null);
        assert_eq!(broken(&with(claim), &case), Some("refusal"), "{claim}");
    }
    let unaligned = case("", &[], malloc(A, 4), laws::ALIGNED, answers(Seen::Block(START + 4)));
    assert_eq!(broken(&HeapContract::STRICT, &unaligned), None);
    assert_eq!(broken(&with("min_alignment=16"), &unaligned), Some("aligned"), "a larger alignment is promised");
}

#[test]
fn a_reallocation_keeps_what_was_told_in_c_alone() {
    // Five bytes behind the 24 that were asked for are the program's as well; they are the last that it wrote.
    let told = |contract: &HeapContract| {
        let beside = Op::PosixMemalign { slot: B, align: AnyAlignment(32), size: Size(3) };
        let mut bench = Bench::under(contract, &setup(), &[malloc(A, 24), beside, Op::Write { slot: B, length: 1 }]);
        assert_eq!(bench.verdict(&USABLE, |seen| assert_eq!(seen.result, Seen::Bytes(29))), Verdict::Agree);
        bench.verdict(&realloc(A, 60), |seen| {
            // Where they are not kept they are not shown, and the block that moved shows what lies behind it instead.
            let behind = seen.shown.iter().position(|(window, _)| 24 <= window.offset);
            with_byte(behind.unwrap(), 0)(seen);
        })
    };
    let kept = Verdict::diverge_at(&laws::KEPT, "bytes", 24);
    assert_eq!(told(&C_ARENA), kept);
    assert_eq!(told(&C_ARENA.claim("realloc_forgets_usable").unwrap()), Verdict::Agree);
    assert_eq!(told(&HeapContract::STRICT), Verdict::Agree, "the old layout has 24 bytes");
}

#[test]
fn what_is_not_served_is_said() {
    let setup = Setup {
        skew_bytes: 24,
        second: Some(super::super::super::SecondRegion { gap_bytes: 8, bytes: 40 }),
        ..setup()
    };
    let threads = Setup { threads: 3, ..setup.clone() };
    let served = |most| with(&format!("most_threads={most}")).serves(&threads);
    assert_eq!((served(3), served(2).map_err(|why| why.0)), (Ok(()), Err("the contract serves fewer threads")));
    for (claim, part) in [
        ("smallest_bytes=41", "smaller"),
        ("largest_bytes=255", "larger"),
        ("region_align=16", "multiples"),
        ("region_align=16+", "number"),
    ] {
        let said = HeapContract::STRICT.claim(claim).map(|contract| contract.serves(&setup).unwrap_err().0.to_owned());
        assert!(said.clone().unwrap_or_else(|error| error).contains(part), "{claim}: {said:?}");
    }
    for claim in ["smallest_bytes=40", "largest_bytes=256", "region_align=8"] {
        assert_eq!(with(claim).serves(&setup), Ok(()), "{claim}");
        assert_eq!(with(claim).claim("own_memory").unwrap().serves(&setup), Ok(()));
    }
}

#[test]
fn what_is_not_asked_for_is_neither_larger_nor_less() {
    let align = Alignment::from_exponent_folded;
    let fill = |size| Op::Fill { slot: A, count: 2, size: Size(size) };
    let calloc = |count, size| Op::Calloc { slot: A, count: Size(count), size: Size(size) };
    for (claim, asked, other) in [
        ("largest_align=16", alloc(A, 8, 4), alloc(A, 8, 5)),
        ("largest_align=16", largest(4), largest(5)),
        ("largest_size=100", malloc(A, 100), malloc(A, 101)),
        ("largest_size=100", fill(100), fill(101)),
        ("largest_size=100", calloc(10, 10), calloc(10, 11)),
        ("smallest_extend=32", Op::Extend { bytes: 64 }, Op::Extend { bytes: 48 }),
        ("smallest_extend=32", Op::Extend { bytes: 32 }, Op::Extend { bytes: 16 }),
        ("calls=calloc+trim", malloc(A, 8), calloc(1, 1)),
        ("no_reuse", alloc(A, 8, 0), Op::Largest { align: align(0) }),
        ("calls=realloc", malloc(A, 8), Op::PushVec { slot: A, length: 1 }),
    ] {
        let contract = with(claim);
        assert!(contract.asks(&asked) && !contract.asks(&other), "{claim}");
        assert!(HeapContract::STRICT.asks(&other), "{claim}");
        // What is not asked for may be skipped.
        let skipped = case(claim, &[], other, laws::ANSWER, answers(Seen::Skipped));
        assert_eq!(broken(&contract, &skipped), None, "{claim}");
    }
}

#[test]
fn every_freedom_is_claimed_by_its_name_and_looked_at_here() {
    let in_cases: Vec<&str> = cases().iter().map(|case| case.claim).collect();
    let elsewhere = [
        "realloc_forgets_usable",
        "smallest_bytes",
        "largest_bytes",
        "region_align",
        "smallest_extend",
        "most_threads",
    ];
    for freedom in HeapContract::FREEDOMS {
        let is_looked_at = in_cases.iter().chain(&elsewhere).any(|claim| claim.split('=').next() == Some(freedom.name));
        assert!(is_looked_at, "{} is in no test", freedom.name);
        let claims = [freedom.name.to_owned(), format!("{}=3", freedom.name), format!("{}=trim", freedom.name)];
        let claimed = claims.iter().filter_map(|claim| HeapContract::STRICT.claim(claim).ok());
        let names: Vec<_> = claimed.map(|contract| contract.claimed()).filter(|names| !names.is_empty()).collect();
        assert_eq!(names, [[freedom.name]], "{}", freedom.name);
    }
}

#[test]
fn what_nobody_can_claim_is_refused_in_words() {
    for (claim, words) in [
        ("no_such_thing", "there is no freedom \"no_such_thing\"; known are calls, own_memory"),
        ("", "there is no freedom"),
        ("no_reuse=perhaps", "no_reuse is claimed or not; \"perhaps\" is neither true nor false"),
        ("waste", "waste needs a number: waste=16"),
        ("waste=much", "waste needs a number"),
        ("waste=-1", "waste needs a number"),
        ("waste=0x", "waste needs a number"),
        ("calls=mallloc", "calls: there is no call \"mallloc\""),
        ("calls", "calls names the calls that are missing: calls=trim+memalign"),
    ] {
        let refused = HeapContract::STRICT.claim(claim).unwrap_err();
        assert!(refused.contains(words), "{claim}: {refused}");
    }
    assert_eq!(with("no_reuse=false"), HeapContract::STRICT);
    assert_eq!(with("block_overhead=0x20").block_overhead, 32);
}

#[test]
fn contracts_have_the_calls_of_their_kind() {
    let of = |calls: Calls| OpKind::ALL.iter().filter(move |kind| calls.has(**kind));
    for kind in of(Calls::OF_C) {
        assert!(!HeapContract::ARENA.has(*kind) && HeapContract::C.has(*kind), "{kind:?}");
    }
    for kind in of(Calls::OF_RUST) {
        assert!(HeapContract::GLOBAL.has(*kind) && !HeapContract::LIBRARY.has(*kind), "{kind:?}");
    }
    for kind in of(Calls::OF_REGIONS) {
        assert!(!HeapContract::GLOBAL.has(*kind) && !HeapContract::LIBRARY.has(*kind), "{kind:?}");
        assert!(HeapContract::ARENA.having(&[*kind]).has(*kind), "{kind:?}");
    }
    for kind in of(Calls::OF_THREADS) {
        assert!(!HeapContract::ARENA.has(*kind) && HeapContract::POSIX_2024.has(*kind), "{kind:?}");
    }
}
